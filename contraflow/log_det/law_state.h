#pragma once

#include <torch/nn/module.h>

#include <optional>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/float64_buffers.h"
#include "contraflow/log_det/calibration.h"

namespace contraflow {

/// The calibrated law of one phase of one block, as module state: it goes into checkpoints.
///
/// Due      at the first call of prepare(), then after 10, 20, 40, ... calls, and from then on
///          every options.calibrate_every.
/// Buffer   law, float64 on the CPU whatever the weights are: calls of prepare() since the last
///          calibration (-1 = none yet), the interval, then the fields of Calibration. A cast that
///          rounds it leaves another law of positive probabilities, as unbiased as the first.
/// Threads  const members may run concurrently.
class CF_EXPORT LawState final : public KeepsFloat64Buffers<torch::nn::Module> {
 public:
  LawState(const RussianRoulette& options, RouletteGoal goal);

  /// Whether the next prepare() is to calibrate.
  bool due() const;
  /// Defers a calibration that is due by a whole interval.
  void postpone();
  /// One call of prepare() without calibration.
  void count();
  /// Measures at `point`. What cannot be measured (nullopt of calibrate()) leaves the law as it is.
  void update(const BlockForm& form, const NetPoint& point, double kappa, const Rng& rng);

  /// nullopt before the first calibration.
  std::optional<Calibration> calibration() const;
  /// The law in force for Lip(G) <= kappa now: the calibrated one, or term_law() before it and
  /// where its shift is not admissible for kappa any more.
  TermLaw law(const BlockForm& form, double kappa) const;
  const RussianRoulette& options() const { return options_; }

 protected:
  std::vector<at::Tensor> float64_buffers() const override { return {law_}; }

 private:
  double* numbers();

  RussianRoulette options_;
  RouletteGoal goal_;
  at::Tensor law_;
};

}  // namespace contraflow
