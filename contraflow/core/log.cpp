#include "contraflow/core/log.h"

#include <memory>
#include <mutex>
#include <utility>

namespace contraflow {
namespace {

struct SinkHolder {
  // Recursive: a sink may log or install another sink.
  std::recursive_mutex mutex;
  std::shared_ptr<LogSink> sink = std::make_shared<LogSink>();
};

// Never destroyed, so that destructors of other statics may still log.
SinkHolder& holder() {
  static auto* const instance = new SinkHolder;
  return *instance;
}

}  // namespace

LogSink exchange_log_sink(LogSink sink) {
  const std::lock_guard lock(holder().mutex);
  // A sink that replaces itself must outlive its own call: log() holds a reference.
  const auto old = std::exchange(holder().sink, std::make_shared<LogSink>(std::move(sink)));
  return *old;
}

void log(LogLevel level, std::string_view text) {
  const std::lock_guard lock(holder().mutex);
  const std::shared_ptr<LogSink> sink = holder().sink;
  if (*sink) (*sink)(level, text);
}

}  // namespace contraflow
