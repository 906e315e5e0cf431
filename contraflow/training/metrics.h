#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "contraflow/core/estimate.h"
#include "contraflow/core/export.h"

namespace contraflow {

/// What the trainer reports of one step. Losses are nats per event: means of -log p(x).
struct MetricsRecord {
  int64_t step = 0;                    ///< Steps done, this one included.
  Estimate loss;                       ///< Of this step's batch, before its update; the true loss.
  double gradient_norm = 0.0;          ///< Before clipping.
  double learning_rate = 0.0;          ///< Step size used.
  double seconds = 0.0;                ///< Training time, earlier sessions of the run included.
  std::optional<Estimate> validation;  ///< Under the EMA weights when EMA is on.
  bool is_best = false;                ///< The validation loss is the lowest so far.
  double budget_used = 0.0;            ///< Fraction of the budget of time; 0 without one.
};

/// One flat JSON object; numbers that are not finite become null.
CF_EXPORT nlohmann::ordered_json metrics_to_json(const MetricsRecord& record);

/// Appends records to a JSON-lines file. Each line is flushed at once, so a killed run loses no
/// line that was written; half a line at the end of the file is what such a kill leaves.
///
/// Throws     IoError (cannot open or write; a line in the middle that is not a record).
class CF_EXPORT MetricsWriter {
 public:
  /// Opens `path` for a run that stands at `step`: lines of later steps and a half-written last
  /// line are cut off, so that no step is in the file twice.
  MetricsWriter(std::filesystem::path path, int64_t step);
  void write(const MetricsRecord& record);
  /// Training time of the last line that was kept; 0 for a new file.
  double seconds() const { return seconds_; }

 private:
  void truncate_after(int64_t step);

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  double seconds_ = 0.0;
};

}  // namespace contraflow
