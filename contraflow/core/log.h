#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "contraflow/core/export.h"

namespace contraflow {

enum class LogLevel { kDebug, kInfo, kWarning };

/// Receives every message. Errors are exceptions, not messages.
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// The library's only way to say something; it never prints by itself. One sink per process, which
/// a program replaces to show messages; the first one discards them. Returns the sink it replaced;
/// an empty function discards too.
///
/// Threads  any thread may log; the sink is called by one thread at a time. When exchange returns,
///          no other thread is still inside the old sink.
[[nodiscard]] CF_EXPORT LogSink exchange_log_sink(LogSink sink);

/// Hands `text` (one line, no newline) to the sink. What the sink throws comes out here.
CF_EXPORT void log(LogLevel level, std::string_view text);

/// Installs a sink and puts the old one back at the end of the scope.
class ScopedLogSink {
 public:
  explicit ScopedLogSink(LogSink sink) : old_(exchange_log_sink(std::move(sink))) {}
  ~ScopedLogSink() { static_cast<void>(exchange_log_sink(std::move(old_))); }
  ScopedLogSink(const ScopedLogSink&) = delete;
  ScopedLogSink& operator=(const ScopedLogSink&) = delete;

 private:
  LogSink old_;
};

}  // namespace contraflow
