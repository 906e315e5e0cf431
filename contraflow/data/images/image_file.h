#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "contraflow/data/byte_source.h"

namespace contraflow::data::images {

/// zlib's format cannot hold more bytes than this for each byte of its own.
/// Source: https://zlib.net/zlib_tech.html, "Maximum Compression Factor".
inline constexpr int64_t kMostInflation = 1032;

/// Bytes of a file from first to last, decompressed where it ends in .gz. It tells how many there
/// can be, so that a header is compared with the file before anything is allocated.
///
/// Memory     read() asks for the bytes of a plain file at once, for those of a compressed one as they
///            come.
/// Threads    one thread at a time.
/// Throws     IoError: cannot be read, cut off, damaged.
/// Example    ImageFile file("train-images-idx3-ubyte.gz");
class ImageFile {
 public:
  explicit ImageFile(const std::filesystem::path& path);

  const std::string& name() const { return name_; }
  bool compressed() const { return compressed_; }
  /// Bytes that the file holds; of a compressed one, the most that it can.
  int64_t most_bytes() const { return most_bytes_; }
  /// Fills the front of `out`; fewer bytes at the end only.
  size_t read(std::span<char> out);
  /// The next bytes, uint8 [n] with n <= most, fewer at the end only.
  at::Tensor read(int64_t most);
  /// Nothing follows; this also has a checksum at the end compared.
  bool at_end();

 private:
  std::string name_;
  bool compressed_;
  int64_t most_bytes_;
  int64_t read_ = 0;
  std::unique_ptr<ByteSource> source_;
};

/// Whether the name ends in .gz, in upper or lower case.
bool is_compressed(const std::filesystem::path& path);
/// The name of the file in lower case, without the folder and without .gz.
std::string plain_name(const std::filesystem::path& path);

}  // namespace contraflow::data::images
