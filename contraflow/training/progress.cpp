#include "contraflow/training/progress.h"

#include <c10/util/StringUtil.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <ostream>

#include "contraflow/core/text.h"

namespace contraflow {
namespace {

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string with_error(const Estimate& value) {
  // Three decimals say nothing of a squared error of 1e-5, and as little of a loss of 1e9.
  const double size = std::abs(value.mean);
  const bool by_powers = size != 0.0 && std::isfinite(size) && (size < 0.01 || size >= 1e6);
  std::string text = formatted(by_powers ? "%.2e" : "%.3f", value.mean);
  if (std::isfinite(value.standard_error)) {
    text += formatted(by_powers ? " ± %.0e" : " ± %.3f", value.standard_error);
  }
  return text;
}

double fraction_done(const ProgressState& state) {
  const double by_steps =
      state.steps > 0 ? static_cast<double>(state.record.step) / static_cast<double>(state.steps)
                      : 0.0;
  return std::min(1.0, std::max(by_steps, state.record.budget_used));
}

double seconds_left(const ProgressState& state) {
  double left = std::numeric_limits<double>::infinity();
  if (state.steps > 0) {
    left = static_cast<double>(state.steps - state.record.step) / state.steps_per_second;
  }
  if (state.budget > 0.0) {
    left = std::min(left, std::max(0.0, state.budget * (1.0 - state.record.budget_used)));
  }
  return left;
}

std::string steps_text(const ProgressState& state) {
  const std::string step = format_count(state.record.step);
  return state.steps > 0 ? step + "/" + format_count(state.steps) : step + " steps";
}

}  // namespace

std::string progress_line(const ProgressState& state) {
  const MetricsRecord& r = state.record;
  std::string line = steps_text(state);
  if (state.steps > 0 || state.budget > 0.0) {
    // A fraction such as 0.58 of 100 is a little less than 58.
    line += c10::str(" ", static_cast<int64_t>(100.0 * fraction_done(state) + 1e-9), "%");
  }
  if (state.steps_per_second > 0.0) {
    line += formatted(state.steps_per_second < 10.0 ? "  %.2f step/s" : "  %.0f step/s",
                      state.steps_per_second);
    const double left = seconds_left(state);
    if (std::isfinite(left)) line += "  " + format_duration(left) + " left";
  }
  line += "  loss " + with_error(r.loss);
  if (r.validation)
    line += "  validation " + with_error(*r.validation) + (r.is_best ? " best" : "");
  return line;
}

ProgressPrinter::ProgressPrinter(std::ostream& out, int64_t steps, const ProgressOptions& options)
    : out_(out), options_(options) {
  state_.steps = steps;
  state_.budget = options.budget;
}

void ProgressPrinter::on_step(const MetricsRecord& record) {
  const std::optional<Estimate> shown = state_.record.validation;
  const bool shown_best = state_.record.is_best;
  state_.record = record;
  if (!record.validation) {  // the newest validation stays on the line
    state_.record.validation = shown;
    state_.record.is_best = shown_best;
  }
  if (!first_) {
    first_ = record;
    printed_seconds_ = record.seconds;
  }
  // The first step is left out of the rate: it pays for allocations and thread start-up.
  const double seconds = record.seconds - first_->seconds;
  const auto steps = static_cast<double>(record.step - first_->step);
  state_.steps_per_second = seconds > 0.0 ? steps / seconds : 0.0;
  const double interval =
      options_.is_terminal ? options_.terminal_interval : options_.plain_interval;
  const bool due = record.seconds - printed_seconds_ >= interval;
  if (due || record.step == state_.steps || record.budget_used >= 1.0) print();
}

void ProgressPrinter::print() {
  const std::string line = progress_line(state_);
  if (options_.is_terminal) {
    // A line as wide as the terminal would wrap in some of them; "..." takes three columns.
    const bool fits = display_width(line) < options_.columns;
    const std::string shown =
        fits ? line : shorten(line, std::max<int64_t>(1, options_.columns - 4));
    out_ << '\r' << shown << "\x1b[K";  // erases what a longer line left
  } else {
    out_ << line << '\n';
  }
  out_.flush();
  printed_seconds_ = state_.record.seconds;
  printed_step_ = state_.record.step;
}

void ProgressPrinter::finish() {
  if (first_ && printed_step_ != state_.record.step) print();
  if (options_.is_terminal && printed_step_ >= 0) out_ << '\n' << std::flush;
}

}  // namespace contraflow
