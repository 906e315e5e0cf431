#pragma once

#include <string>
#include <utility>
#include <vector>

#include "contraflow/networks/net_options.h"
#include "contraflow/solvers/fixed_point.h"
#include "contraflow/training/flow_objective.h"
#include "contraflow/transforms/block_settings.h"
#include "contraflow/transforms/contractive_block.h"

namespace contraflow::cli {

/// Increasing functions of the line to be fitted.
enum class TargetKind {
  kMultistep,  ///< Four steep steps, t(x+2) + t(x+1) + t(x) + t(x-1) on [-2, 2].
  kTwoSlopes,  ///< 10 x above 0, x / 10 below, on [-1, 1].
};

constexpr auto enum_names(TargetKind) {
  return std::array{std::pair{"multistep", TargetKind::kMultistep},
                    std::pair{"two_slopes", TargetKind::kTwoSlopes}};
}

/// The map x -> y: contractive blocks of one network shape, the first applied first.
struct MapOptions {
  std::vector<FormKind> forms = {FormKind::kMonotone, FormKind::kMonotone};
  /// A trained positive factor after each block: R^+ in the paper's notation.
  bool scaling = true;
  NetOptions net = {};
  SolverOptions solver = {};  // to backward_tolerance: see block_settings.h
  double train_tolerance = SolveDefaults::train_tolerance;
  double tolerance = 1e-9;
  double backward_tolerance = SolveDefaults::backward_tolerance;
  int64_t seed = 0;
};

template <class Field>
void visit(MapOptions& o, Field&& field) {
  field("forms", o.forms, non_empty(), "Forms of the blocks, the first applied first.");
  field("scaling", o.scaling, "A trained positive factor after each block.");
  field("net", o.net, "The contractive network of a block.");
  visit_solves(o, field);
  field("seed", o.seed, "Seed of the initial weights.");
}

/// What the config of a regression row holds.
struct RegressionConfig {
  TargetKind target = TargetKind::kMultistep;
  MapOptions map = {};
  /// A step's batch are fresh points, one in each of batch_size equal parts of the interval.
  TrainingOptions training = {.objective = "least_squares",
                              .steps = 15'000,
                              .batch_size = 5'000,
                              .adam = {.learning_rate = 1e-2},
                              .validate_every = 0};
  int64_t test_points = 1'000'000;
  /// Fits of as many seeds, map.seed and training.seed and those that follow them. Errors of fits
  /// differ far more from seed to seed than a test on a million points can tell.
  int64_t repeats = 1;
};

template <class Field>
void visit(RegressionConfig& o, Field&& field) {
  field("target", o.target, "Function to fit: multistep or two_slopes.");
  field("map", o.map, "The invertible map that is fitted.");
  field("training", o.training, "How it is fitted; a batch are fresh points.");
  field("test_points", o.test_points, at_least(2), "Points of the test, of a stream of their own.");
  field("repeats", o.repeats, at_least(1), "Fits, of this seed and those that follow it.");
}

Interval target_interval(TargetKind kind);
/// The target at x, element by element.
at::Tensor target_value(TargetKind kind, const at::Tensor& x);
/// `count` uniform points [count, 1] of the interval, in float64.
at::Tensor uniform_points(TargetKind kind, int64_t count, const Rng& rng);
/// One uniform point in each of `count` equal parts of the interval, [count, 1] in float64. A mean
/// over them has the expectation of one over uniform_points(), with far less variance.
at::Tensor stratified_points(TargetKind kind, int64_t count, const Rng& rng);

/// The chain of the options on events of one feature. The base of the flow is not used.
FlowPtr build_map(const MapOptions& options);

/// The mean of (forward(x) - target(x))^2 over fresh stratified points of the target's interval.
/// Random     the points of step k follow from `rng` and k. There is no validation.
class LeastSquares final : public FlowObjective {
 public:
  LeastSquares(FlowPtr map, TargetKind target, const Rng& rng)
      : FlowObjective(std::move(map)), target_(target), rng_(rng) {}

  std::string name() const override { return "least_squares"; }
  void check(const TrainingOptions& options) const override;
  /// Nothing: the first step does it.
  void initialise(int64_t, const at::TensorOptions&, const Rng&) const override {}
  StepLoss add_gradient(const ObjectiveStep& step) const override;
  RowLosses validate(const ValidationStep& step) const override;

 private:
  TargetKind target_;
  Rng rng_;
};

/// The stream of the points of a fit.
Rng regression_rng(const RegressionConfig& config);

}  // namespace contraflow::cli
