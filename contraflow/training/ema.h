#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/training/flat_parameters.h"

namespace contraflow {

/// Exponential (Polyak) average of the parameters.
///
/// Formula    after n updates: sum_i decay^(n-i) p_i / sum_i decay^(n-i), i = 1..n. The weights sum
///            to one from the first update on, so the average never leans on the initial values.
class CF_EXPORT Ema {
 public:
  /// `decay` in [0, 1): about 1/(1 - decay) steps are averaged.
  Ema(const FlatParameters& parameters, double decay);

  void update();
  const std::vector<at::Tensor>& values() const { return average_; }
  int64_t updates() const { return updates_; }
  /// Number of updates that values() hold; restoring the values restores it too.
  void set_updates(int64_t updates) { updates_ = updates; }

 private:
  double decay_;
  std::vector<at::Tensor> parameters_, average_;
  int64_t updates_ = 0;
};

/// Refreshes what a flow derives from its parameters (norm bounds), without data: for parameters
/// that were changed from outside. The data-dependent members must have been initialised. Throws
/// ConfigError (a member still waits for data).
CF_EXPORT void refresh_state(Flow& flow);

/// While it lives, a module in training can be evaluated: it holds the averaged parameters if there
/// are any, else its own, and derived buffers that belong to them. The destructor puts parameters
/// and buffers back bit for bit, so that evaluating does not change the run.
class CF_EXPORT EvaluationScope {
 public:
  /// `refresh` recomputes what the module derives from its parameters. `average` may be null; then
  /// only that happens.
  EvaluationScope(const torch::nn::Module& module, const FlatParameters& parameters,
                  const Ema* average, const std::function<void()>& refresh);
  ~EvaluationScope();
  EvaluationScope(const EvaluationScope&) = delete;
  EvaluationScope& operator=(const EvaluationScope&) = delete;

 private:
  void put_back() noexcept;

  std::vector<at::Tensor> parameters_, saved_parameters_;
  std::vector<at::Tensor> buffers_, saved_buffers_;
};

}  // namespace contraflow
