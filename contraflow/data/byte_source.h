#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "contraflow/data/rows.h"

namespace contraflow::data {

/// Bytes from first to last.
///
/// Threads    one thread at a time.
/// Throws     IoError: cannot be read, cut off, damaged.
/// Example    while (const size_t count = source->read(buffer)) use(buffer.first(count));
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills the front of `out`; 0 at the end only.
  virtual size_t read(std::span<char> out) = 0;
  /// Part of the stored bytes read, in [0, 1]; 0 where their number is unknown (a pipe).
  virtual double fraction_read() const = 0;
  /// Back to the first byte; IoError for what can be read once (a pipe).
  virtual void rewind() = 0;
};

/// A file, or for "-" the standard input. kZip is no choice here: see ZipArchive.
std::unique_ptr<ByteSource> open_bytes(const std::filesystem::path& path, Compression compression);

/// Fills `out` as far as `source` has bytes; returns how many.
size_t read_fully(ByteSource& source, std::span<char> out);

namespace detail {
/// What `stored` holds compressed by gzip, in one member or several after each other.
std::unique_ptr<ByteSource> inflate(std::unique_ptr<ByteSource> stored, const std::string& name);
}  // namespace detail

}  // namespace contraflow::data
