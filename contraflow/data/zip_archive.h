#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "contraflow/data/byte_source.h"

namespace contraflow::data {

/// A zip archive open for reading. Sources of its members keep it open.
///
/// Threads    one thread at a time, with all of its sources.
/// Throws     IoError: cannot be read, no zip archive, a damaged or encrypted member.
/// Example    ZipArchive archive("a.npz");  const auto bytes = archive.open(0);
class ZipArchive {
 public:
  explicit ZipArchive(const std::filesystem::path& path);

  /// Names of the members, in the archive's order.
  const std::vector<std::string>& members() const { return members_; }
  std::unique_ptr<ByteSource> open(size_t member) const;

  struct Handle;

 private:
  std::shared_ptr<Handle> handle_;
  std::vector<std::string> members_;
};

}  // namespace contraflow::data
