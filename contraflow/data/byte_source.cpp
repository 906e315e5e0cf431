#include "contraflow/data/byte_source.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>

#include "contraflow/core/error.h"

namespace contraflow::data {
namespace {

constexpr const char* kReadBytes = "read";

[[noreturn]] void fail_reading(const std::string& name, int error) {
  fail<IoError>(kReadBytes, name, "to read", std::generic_category().message(error),
                "Check the disk and try again.");
}

class FileSource final : public ByteSource {
 public:
  explicit FileSource(const std::filesystem::path& path) : name_(path.string()) {
    std::error_code unknown;  // what is wrong comes out when the file is opened; a pipe has no size
    if (std::filesystem::is_directory(path, unknown)) {
      fail<IoError>(kReadBytes, name_, "a file", "a folder", "Name the file inside of it.");
    }
    file_.reset(std::fopen(path.c_str(), "rbe"));
    if (file_ == nullptr) {
      fail<IoError>(kReadBytes, name_, "a readable file", std::generic_category().message(errno),
                    "Check the path and its permissions.");
    }
    total_ = std::filesystem::file_size(path, unknown);
    if (unknown) total_ = 0;
  }

  size_t read(std::span<char> out) override {
    const size_t count = std::fread(out.data(), 1, out.size(), file_.get());
    if (count == 0 && std::ferror(file_.get()) != 0) fail_reading(name_, errno);
    read_ += count;
    return count;
  }

  double fraction_read() const override {
    if (total_ == 0) return 0.0;
    return std::min(1.0, static_cast<double>(read_) / static_cast<double>(total_));
  }

  void rewind() override {
    if (std::fseek(file_.get(), 0, SEEK_SET) != 0) fail_reading(name_, errno);
    read_ = 0;
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  std::string name_;
  std::unique_ptr<std::FILE, Close> file_;
  uintmax_t total_ = 0;
  uintmax_t read_ = 0;
};

// What has come so far is given out at once, so that a program before ours need not have ended.
class StandardInput final : public ByteSource {
 public:
  size_t read(std::span<char> out) override {
    while (true) {
      const ssize_t count = ::read(STDIN_FILENO, out.data(), out.size());
      if (count >= 0) return static_cast<size_t>(count);
      if (errno != EINTR) fail_reading("the standard input", errno);
    }
  }
  double fraction_read() const override { return 0.0; }
  void rewind() override {
    fail<IoError>(kReadBytes, "the standard input", "to be read once", "a second reading",
                  "Save it to a file, and name that.");
  }
};

}  // namespace

std::unique_ptr<ByteSource> open_bytes(const std::filesystem::path& path, Compression compression) {
  if (path == "-") return std::make_unique<StandardInput>();
  std::unique_ptr<ByteSource> file = std::make_unique<FileSource>(path);
  if (compression == Compression::kNone) return file;
  return detail::inflate(std::move(file), path.string());
}

size_t read_fully(ByteSource& source, std::span<char> out) {
  size_t done = 0;
  while (done < out.size()) {
    const size_t count = source.read(out.subspan(done));
    if (count == 0) break;
    done += count;
  }
  return done;
}

}  // namespace contraflow::data
