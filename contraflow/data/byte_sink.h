#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "contraflow/data/rows.h"

namespace contraflow::data {

/// Where bytes go, in order. What commit() has not ended is not there, except on the standard output.
///
/// Threads    one thread at a time.
/// Throws     IoError: cannot be written.
/// Example    sink->write("a,b\n");  sink->commit();
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void write(std::string_view bytes) = 0;
  virtual void commit() = 0;
};

/// A file (AtomicFile), or for "-" the standard output. kNone or kGzip.
std::unique_ptr<ByteSink> create_bytes(const std::filesystem::path& path, Compression compression);

}  // namespace contraflow::data
