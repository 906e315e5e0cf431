#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "contraflow/data/byte_source.h"

namespace contraflow::data {

/// Bytes of an array's file at any place.
///
/// Cost       of a compressed file: in order, one pass; a place before the last one starts again.
/// Threads    one thread at a time; of a plain file read() may run concurrently.
/// Throws     IoError: cannot be read, damaged.
/// Example    const size_t count = bytes->read(0, buffer);
class NpyBytes {
 public:
  virtual ~NpyBytes() = default;
  /// Fills `out` from `offset` on; returns how many bytes there are, fewer at the end only.
  virtual size_t read(int64_t offset, std::span<char> out) = 0;
  /// Number of bytes, where it is known before all are read.
  virtual std::optional<int64_t> size() const = 0;
};

/// A file as it is.
std::unique_ptr<NpyBytes> plain_bytes(const std::filesystem::path& path);
/// What `source` gives from first to last.
std::unique_ptr<NpyBytes> streamed_bytes(std::unique_ptr<ByteSource> source);
/// The first `count` bytes of `bytes` in a file without a name in the folder for temporary files, for
/// reading at any place. IoError: fewer bytes, or no room for them.
std::unique_ptr<NpyBytes> unpacked_bytes(NpyBytes& bytes, int64_t count, const std::string& name);

}  // namespace contraflow::data
