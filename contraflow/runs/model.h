#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/device.h"
#include "contraflow/core/dtype.h"
#include "contraflow/core/export.h"
#include "contraflow/data/columns.h"
#include "contraflow/data/dataset.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/distributions/flow_spec.h"
#include "contraflow/evaluation/scores.h"
#include "contraflow/runs/run_config.h"
#include "contraflow/training/checkpoint.h"

namespace contraflow {

struct LoadOptions {
  FloatType dtype = FloatType::kFloat64;  ///< What the weights are converted to.
  DeviceKind device = DeviceKind::kCpu;   ///< Where they are put.
  WeightChoice weights = WeightChoice::kSelected;
  /// `model.KEY=VALUE` that replaces how every contractive block is evaluated, not what it is: KEY
  /// is eval_log_det, solver or tolerance, or below one of them.
  std::vector<std::string> set = {};
  /// Evaluate every block's log-determinant exactly, whatever its options say.
  bool exact = false;
};

/// A trained flow with what is known about its data, ready to score and to draw.
///
/// Shapes     x: [B] + columns.event_shape; conditions: [B, columns.condition_size()].
/// Types      x of any type; it is converted to the flow's. Results in float64 on the CPU.
/// Random     pure functions of a seed: row r draws as sample r.
/// Threads    const members may run concurrently.
/// Throws     as Flow; DomainError naming row and place of a value that has no density.
/// Example    const Model model = load("runs/moons");   model.log_prob(x);
struct CF_EXPORT Model {
  std::filesystem::path checkpoint_path;
  std::optional<RunConfig> run;  ///< Unset for a flow that was trained or saved without a config.
  data::Columns columns;         ///< Of its data: names, kinds, integer levels, conditions.
  /// Of the table that it was trained on; unset for other data.
  std::optional<data::DataIdentity> identity;
  FlowSpec spec;
  TrainingCounters counters;
  FlowPtr flow;  ///< Preprocessing included: it is part of the transform.
  WeightChoice weights = WeightChoice::kSelected;  ///< What the flow holds.
  bool has_ema = false;
  int64_t bytes = 0;  ///< Size of the file.

  /// log p(x), [B], nats: the mean over draws where something is random.
  at::Tensor log_prob(const at::Tensor& x, const at::Tensor& condition = {}) const;
  /// The same with its error; the numbers of 'contraflow score'.
  LogProbWithError score(const data::Batch& batch, const ScoreOptions& options = {}) const;
  /// `count` samples, [count] + columns.event_shape, inside the bounds of the data: those of
  /// 'contraflow sample'. `given` [1, columns.condition_size()] holds for all of them.
  at::Tensor sample(int64_t count, int64_t seed = 0, const at::Tensor& given = {}) const;

  /// The config of its run. Throws ConfigError where there is none.
  const RunConfig& config() const;
  /// The folder that the checkpoint lies in, for pictures and metrics.
  std::filesystem::path folder() const { return checkpoint_path.parent_path(); }
};

/// Random numbers of samples and scores of a seed.
CF_EXPORT Rng sample_rng(int64_t seed);
CF_EXPORT Rng score_rng(int64_t seed);

/// Values that left the bounds by rounding are put back.
CF_EXPORT at::Tensor inside_bounds(const at::Tensor& x, const data::Columns& columns);

/// Reads what 'contraflow train', fit() with a checkpoint path, or save() wrote: `path` is a run
/// folder or a checkpoint file, which needs nothing but itself.
///
/// Throws     IoError (missing, truncated, malformed, without a flow); ConfigError (weights that
///            the checkpoint does not hold, a bad `set`, a device that is not there).
/// Example    const Model model = load("runs/moons", {.dtype = FloatType::kFloat32});
CF_EXPORT Model load(const std::filesystem::path& path, const LoadOptions& options = {});

/// Writes a flow as a checkpoint that load() and the program read: spec, dtype, weights, columns.
/// Without columns the model has those of its shape: x0, x1, ... of rows.
///
/// Throws     ConfigError (a part of the flow was not built from options; columns of another shape
///            than the flow's), IoError.
/// Example    save(*flow, "moons.safetensors");
CF_EXPORT void save(const Flow& flow, const std::filesystem::path& path,
                    const std::optional<data::Columns>& columns = std::nullopt);

/// The data of the model's training, opened again, in the parts that they had. ConfigError if the
/// model has no config that names them; DomainError if they changed, unless `allow_changed`: then
/// every row falls where it would have fallen, so that no row of the validation and the test was
/// trained on.
CF_EXPORT data::Dataset open_data(const Model& model, bool allow_changed = false);

}  // namespace contraflow
