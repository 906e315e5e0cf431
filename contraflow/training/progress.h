#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "contraflow/core/export.h"
#include "contraflow/training/metrics.h"

namespace contraflow {

/// What one progress line tells.
struct ProgressState {
  MetricsRecord record;
  int64_t steps = 0;              ///< Steps of the whole run; 0 = no limit.
  double steps_per_second = 0.0;  ///< Of this session; 0 = not known yet.
  double budget = 0.0;            ///< Seconds that the whole run may take; 0 = no budget.
};

/// One line of text:
///   1,200/5,000 24%  81.3 step/s  2 min 05 s left  loss 3.712 ± 0.021  validation 3.698 ± 0.004 best
/// A run ends by its steps or its budget: per cent and time left are of what ends it first.
CF_EXPORT std::string progress_line(const ProgressState& state);

struct ProgressOptions {
  /// true: one line, rewritten in place. false: plain lines, one per `plain_interval`.
  bool is_terminal = false;
  /// Width that a terminal line is cut to, so that it does not wrap.
  int64_t columns = 80;
  double terminal_interval = 0.1;  ///< Seconds between two rewrites.
  double plain_interval = 10.0;    ///< Seconds between two plain lines.
  double budget = 0.0;             ///< Seconds that the whole run may take; 0 = no budget.
};

/// Writes progress to a stream that the caller names; time is that of the records.
/// Threads    exclusive access.
class CF_EXPORT ProgressPrinter {
 public:
  /// `out` must outlive the printer.
  ProgressPrinter(std::ostream& out, int64_t steps, const ProgressOptions& options);

  /// Takes every step; prints when the interval has passed, and the last step.
  void on_step(const MetricsRecord& record);
  /// Shows the newest record if it is not on the screen and ends the line. Call once after
  /// training, also when it was interrupted.
  void finish();

 private:
  void print();

  std::ostream& out_;
  ProgressOptions options_;
  ProgressState state_;
  std::optional<MetricsRecord> first_;
  double printed_seconds_ = 0.0;
  int64_t printed_step_ = -1;
};

}  // namespace contraflow
