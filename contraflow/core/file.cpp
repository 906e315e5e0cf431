#include "contraflow/core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"

namespace contraflow {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBufferBytes = size_t{1} << 20;
constexpr size_t kCallBytes = size_t{1} << 30;  // Linux moves at most 2 GiB a call.

std::string reason(int error) { return std::generic_category().message(error); }

std::string remedy(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return "Free space there, or choose a path on another disk.";
    case EACCES:
    case EPERM:
    case EROFS:
      return "Change the permissions, or choose another path.";
    case ENOENT:
    case ENOTDIR:
      return "Create the folder, or correct the path.";
    default:
      return "Check the path and the disk.";
  }
}

// Follows links to the file that will be replaced; only regular files are, or new names.
fs::path resolve_target(const fs::path& path) {
  std::error_code ignored;  // What is wrong comes out when the file is opened.
  fs::path target = path;
  if (fs::is_symlink(path, ignored)) target = fs::weakly_canonical(path, ignored);
  if (target.empty() || !target.has_filename()) {
    fail<IoError>("write", path.string(), "the name of a file", "a folder", "Add a file name.");
  }
  const fs::file_status status = fs::status(target, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fail<IoError>("write", path.string(), "a regular file or a new name",
                  fs::is_directory(status) ? "a folder" : "a device or pipe",
                  "Choose another path.");
  }
  return target;
}

std::optional<mode_t> mode_of(const fs::path& path) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return info.st_mode & 07777U;
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& path) : path_(path), target_(resolve_target(path)) {
  // O_EXCL and not mkstemp, because that makes files private whatever the umask says.
  constexpr int kTries = 1000;
  for (int i = 0; i < kTries && descriptor_ < 0; ++i) {
    temporary_ = target_;
    temporary_ += '.' + std::to_string(::getpid()) + '-' + std::to_string(i) + ".tmp";
    // Before the file is there: a signal in between would leave it.
    leftover_.emplace(std::vector{temporary_});
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0) fail_errno("a folder that can be written to");
  if (const auto mode = mode_of(target_)) static_cast<void>(::fchmod(descriptor_, *mode));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail_errno(std::string_view what) const {
  const int error = errno;
  fail<IoError>("write", path_.string(), what, reason(error), remedy(error));
}

void AtomicFile::write(std::string_view bytes) {
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() >= kBufferBytes) {
    write_at(bytes, flushed_);
    flushed_ += static_cast<int64_t>(bytes.size());
  } else {
    buffer_.append(bytes);
  }
}

void AtomicFile::overwrite_start(std::string_view bytes) {
  flush();
  write_at(bytes, 0);
}

void AtomicFile::flush() {
  write_at(buffer_, flushed_);
  flushed_ += static_cast<int64_t>(buffer_.size());
  buffer_.clear();
}

void AtomicFile::write_at(std::string_view bytes, int64_t offset) {
  while (!bytes.empty()) {
    const size_t part = std::min(bytes.size(), kCallBytes);
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), part, offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_errno("to write the file");
    bytes.remove_prefix(static_cast<size_t>(count));
    offset += count;
  }
}

void AtomicFile::commit() {
  flush();
  // Data before the name: a crash after the rename must not leave an empty file under it.
  if (::fsync(descriptor_) != 0) fail_errno("to write the file to the disk");
  // Network file systems report a full disk only here.
  if (::close(std::exchange(descriptor_, -1)) != 0) fail_errno("to close the file");
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail_errno("to rename the finished file");
  leftover_.reset();
  temporary_.clear();
  sync_folder();
}

void AtomicFile::sync_folder() const {
  const fs::path folder = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // A folder one may write but not read; the file is complete.
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  // Some file systems cannot sync folders and say EINVAL; the file is complete there too.
  errno = error;
  if (result != 0 && error != EINVAL) fail_errno("to write the folder to the disk");
}

void atomic_write(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void atomic_write(const fs::path& path, const std::function<void(AtomicFile&)>& writer) {
  AtomicFile file(path);
  writer(file);
  file.commit();
}

InputFile::InputFile(const fs::path& path) : path_(path) {
  // Non-blocking, so that a pipe is refused below and not waited for.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat info = {};
  if (descriptor_ < 0 || ::fstat(descriptor_, &info) != 0) {
    const int error = errno;
    if (descriptor_ >= 0) ::close(descriptor_);
    fail<IoError>("read", path.string(), "a readable file", reason(error),
                  error == ENOENT ? "Correct the path." : remedy(error));
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(descriptor_);
    fail<IoError>("read", path.string(), "a regular file",
                  S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe", "Correct the path.");
  }
  size_ = info.st_size;
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read_at(int64_t offset, std::span<char> out) const {
  while (!out.empty()) {
    const ssize_t count =
        ::pread(descriptor_, out.data(), std::min(out.size(), kCallBytes), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int error = errno;
      fail<IoError>("read", path_.string(), format_count(size_) + " bytes",
                    count < 0 ? reason(error) : "the end of the file earlier",
                    "Nothing else may write the file meanwhile; read it again.");
    }
    out = out.subspan(static_cast<size_t>(count));
    offset += count;
  }
}

std::string read_file(const fs::path& path, int64_t max_bytes) {
  const InputFile file(path);
  if (file.size() > max_bytes) {
    fail<IoError>("read", path.string(), "at most " + format_bytes(max_bytes),
                  format_bytes(file.size()), "Check that this is the file you meant.");
  }
  std::string bytes(static_cast<size_t>(file.size()), '\0');
  file.read_at(0, bytes);
  return bytes;
}

}  // namespace contraflow
