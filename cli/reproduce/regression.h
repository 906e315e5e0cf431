#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "contraflow/distributions/flow.h"
#include "contraflow/networks/net_options.h"
#include "contraflow/solvers/fixed_point.h"
#include "contraflow/training/metrics.h"
#include "contraflow/training/optimizer.h"
#include "contraflow/training/run_folder.h"
#include "contraflow/training/training_options.h"
#include "contraflow/transforms/contractive_block.h"

namespace contraflow::cli {

/// Increasing functions of the line to be fitted.
enum class TargetKind {
  kMultistep,  ///< Four steep steps, t(x+2) + t(x+1) + t(x) + t(x-1) on [-2, 2].
  kTwoSlopes,  ///< 10 x above 0, x / 10 below, on [-1, 1].
};

}  // namespace contraflow::cli

namespace contraflow {

template <>
struct EnumNames<cli::TargetKind> {
  static constexpr std::array values{std::pair{"multistep", cli::TargetKind::kMultistep},
                                     std::pair{"two_slopes", cli::TargetKind::kTwoSlopes}};
};

}  // namespace contraflow

namespace contraflow::cli {

/// The map x -> y: contractive blocks of one network shape, the first applied first.
struct MapOptions {
  std::vector<FormKind> forms = {FormKind::kMonotone, FormKind::kMonotone};
  /// A trained positive factor behind each block: R^+ in the paper's notation.
  bool scaling = true;
  NetOptions net = {};
  SolverOptions solver = {};
  double train_tolerance = 1e-4;
  double tolerance = 1e-9;
  double backward_tolerance = 1e-3;
  int64_t seed = 0;
};

template <class Field>
void visit(MapOptions& o, Field&& field) {
  field("forms", o.forms, non_empty(), "Forms of the blocks, the first applied first.");
  field("scaling", o.scaling, "A trained positive factor behind each block.");
  field("net", o.net, "The contractive network of a block.");
  field("solver", o.solver, "Fixed-point solver of implicit forms.");
  field("train_tolerance", o.train_tolerance, positive(), "Error of a solve while training.");
  field("tolerance", o.tolerance, positive(), "Error of a solve otherwise.");
  field("backward_tolerance", o.backward_tolerance, positive(),
        "Relative error of a gradient's solve.");
  field("seed", o.seed, "Seed of the initial weights.");
}

struct FitOptions {
  int64_t steps = 15'000;
  /// Fresh points per step, one in each of as many equal parts of the target's interval.
  int64_t points = 5'000;
  int64_t test_points = 1'000'000;
  FloatType dtype = FloatType::kFloat32;
  AdamOptions adam = {.learning_rate = 1e-2};
  ScheduleOptions schedule = {};
  /// Largest gradient norm; larger ones are scaled down to it. 0 = never.
  double clip_norm = 0.0;
  int64_t seed = 0;
  int64_t checkpoint_every = 500;
  int64_t log_every = 50;
};

template <class Field>
void visit(FitOptions& o, Field&& field) {
  field("steps", o.steps, at_least(1), "Optimizer steps.");
  field("points", o.points, at_least(2),
        "Fresh points per step, one in each of as many equal parts.");
  field("test_points", o.test_points, at_least(2), "Points of the test, of a stream of their own.");
  field("dtype", o.dtype, "Type of parameters and points.");
  field("adam", o.adam, "Optimizer.");
  field("schedule", o.schedule, "Course of the learning rate.");
  field("clip_norm", o.clip_norm, non_negative(), "Largest gradient norm; 0 = no clipping.");
  field("seed", o.seed, non_negative(), "Seed of the points.");
  field("checkpoint_every", o.checkpoint_every, at_least(1), "Steps between two checkpoints.");
  field("log_every", o.log_every, at_least(1), "Steps between two records of the metrics.");
}

/// What the config of a regression row holds.
struct RegressionConfig {
  TargetKind target = TargetKind::kMultistep;
  MapOptions map = {};
  FitOptions training = {};
  /// Fits of as many seeds, map.seed and training.seed and those that follow them. Errors of fits
  /// differ far more from seed to seed than a test on a million points can tell.
  int64_t repeats = 1;
};

template <class Field>
void visit(RegressionConfig& o, Field&& field) {
  field("target", o.target, "Function to fit: multistep or two_slopes.");
  field("map", o.map, "The invertible map that is fitted.");
  field("training", o.training, "How it is fitted.");
  field("repeats", o.repeats, at_least(1), "Fits, of this seed and those that follow it.");
}

struct Interval {
  double low = 0.0;
  double high = 1.0;
};
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

struct FitReport {
  bool interrupted = false;
  int64_t step = 0;
  double seconds = 0.0;
};
struct FitHooks {
  std::function<void(const MetricsRecord&)> on_step;  ///< record.loss is the mean squared error.
  std::function<bool()> should_stop;
};

/// Fits the map by least squares in its folder, from the checkpoint there if there is one; bit for
/// bit the same then. The flow is left ready to evaluate. Throws NumericsError (a loss or gradient
/// that is not finite), ConfigError (a checkpoint of another config), IoError.
FitReport fit_map(Flow& flow, const RegressionConfig& config, const RunFolder& folder,
                  const FitHooks& hooks);

}  // namespace contraflow::cli
