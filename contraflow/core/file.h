#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "contraflow/core/export.h"
#include "contraflow/core/leftovers.h"

namespace contraflow {

/// A file that appears under its name only when it is complete: bytes go to a temporary file in the
/// same folder; commit() writes them to the disk and renames. Without commit() the destructor
/// removes the temporary file, and a file that stood under the name before is untouched. A signal
/// handler removes the temporary file by remove_leftovers().
///
/// Links      a symbolic link stays a link; the file it points to is replaced.
/// Mode       that of the file replaced, else what the umask leaves.
/// Threads    one thread at a time.
/// Throws     IoError with path, reason and remedy: the constructor (folder missing or read-only,
///            or the name is a folder or device), write() and commit() (disk full). After an error
///            nothing but the destructor may be called.
/// Example    AtomicFile file("scores.csv");  file.write("a,b\n");  file.commit();
class CF_EXPORT AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends.
  void write(std::string_view bytes);
  /// Replaces bytes from the start of the file, which must have been written before.
  void overwrite_start(std::string_view bytes);
  void commit();

  const std::filesystem::path& path() const { return path_; }

 private:
  [[noreturn]] void fail_errno(std::string_view what) const;
  void write_at(std::string_view bytes, int64_t offset);
  void flush();
  void sync_folder() const;

  std::filesystem::path path_;    ///< As the caller named it.
  std::filesystem::path target_;  ///< With symbolic links resolved.
  std::filesystem::path temporary_;
  std::optional<Leftovers> leftover_;  ///< The temporary file.
  int descriptor_ = -1;
  std::string buffer_;
  int64_t flushed_ = 0;  ///< Bytes of the file that are no longer in buffer_.
};

/// Writes a whole file by AtomicFile.
CF_EXPORT void atomic_write(const std::filesystem::path& path, std::string_view bytes);
CF_EXPORT void atomic_write(const std::filesystem::path& path,
                            const std::function<void(AtomicFile&)>& writer);

/// A regular file open for reading. Throws IoError with path, reason and remedy.
class CF_EXPORT InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  int64_t size() const { return size_; }  ///< Bytes, when it was opened.
  /// Fills `out` from `offset`; IoError if the file has become shorter than that.
  void read_at(int64_t offset, std::span<char> out) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  int64_t size_ = 0;
};

/// A whole file; IoError if it is larger than `max_bytes`.
CF_EXPORT std::string read_file(const std::filesystem::path& path, int64_t max_bytes);

}  // namespace contraflow
