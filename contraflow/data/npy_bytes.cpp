#include "contraflow/data/npy_bytes.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/file.h"
#include "contraflow/core/text.h"

namespace contraflow::data {
namespace {

class PlainBytes final : public NpyBytes {
 public:
  explicit PlainBytes(const std::filesystem::path& path) : file_(path) {}
  size_t read(int64_t offset, std::span<char> out) override {
    const int64_t left = std::max<int64_t>(0, file_.size() - offset);
    const size_t count = std::min(out.size(), static_cast<size_t>(left));
    file_.read_at(offset, out.first(count));
    return count;
  }
  std::optional<int64_t> size() const override { return file_.size(); }

 private:
  InputFile file_;
};

class StreamedBytes final : public NpyBytes {
 public:
  explicit StreamedBytes(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}
  size_t read(int64_t offset, std::span<char> out) override {
    if (offset < position_) {
      source_->rewind();
      position_ = 0;
    }
    std::vector<char> skipped(static_cast<size_t>(std::min(kBlock, offset - position_)));
    while (position_ < offset) {
      const auto part = static_cast<size_t>(std::min(kBlock, offset - position_));
      const size_t count = read_fully(*source_, {skipped.data(), part});
      position_ += static_cast<int64_t>(count);
      if (count < part) return 0;
    }
    const size_t count = read_fully(*source_, out);
    position_ += static_cast<int64_t>(count);
    return count;
  }
  std::optional<int64_t> size() const override { return std::nullopt; }

 private:
  static constexpr int64_t kBlock = int64_t{1} << 16;
  std::unique_ptr<ByteSource> source_;
  int64_t position_ = 0;
};

// A temporary file that has no name any more, so that it goes with its descriptor.
class UnpackedBytes final : public NpyBytes {
 public:
  explicit UnpackedBytes(int64_t count, std::string name) : name_(std::move(name)), size_(count) {
    std::error_code error;
    const std::filesystem::path folder = std::filesystem::temp_directory_path(error);
    const auto space = std::filesystem::space(folder, error);
    if (!error && static_cast<int64_t>(space.available / 2) < count / 2) {
      fail<IoError>("read_npy", name_, format_bytes(count) + " free in " + folder.string(),
                    format_bytes(static_cast<int64_t>(space.available)),
                    "An array in Fortran order is decompressed there first; set TMPDIR to a folder "
                    "with room, or decompress the file.");
    }
    std::string path = (folder / "contraflow-XXXXXX").string();
    descriptor_ = ::mkostemp(path.data(), O_CLOEXEC);
    if (descriptor_ < 0) fail_errno("a temporary file in " + folder.string());
    ::unlink(path.c_str());
  }
  ~UnpackedBytes() override { ::close(descriptor_); }
  UnpackedBytes(const UnpackedBytes&) = delete;
  UnpackedBytes& operator=(const UnpackedBytes&) = delete;

  void append(std::span<const char> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_errno("to write a temporary file");
      bytes = bytes.subspan(static_cast<size_t>(count));
    }
  }

  size_t read(int64_t offset, std::span<char> out) override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t count = ::pread(descriptor_, out.data() + done, out.size() - done,
                                    offset + static_cast<int64_t>(done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_errno("to read a temporary file");
      if (count == 0) break;
      done += static_cast<size_t>(count);
    }
    return done;
  }
  std::optional<int64_t> size() const override { return size_; }

 private:
  [[noreturn]] void fail_errno(const std::string& expected) const {
    fail<IoError>("read_npy", name_, expected, std::generic_category().message(errno),
                  "Set TMPDIR to a folder with room, or decompress the file.");
  }

  std::string name_;
  int64_t size_;
  int descriptor_ = -1;
};

}  // namespace

std::unique_ptr<NpyBytes> plain_bytes(const std::filesystem::path& path) {
  return std::make_unique<PlainBytes>(path);
}

std::unique_ptr<NpyBytes> streamed_bytes(std::unique_ptr<ByteSource> source) {
  return std::make_unique<StreamedBytes>(std::move(source));
}

std::unique_ptr<NpyBytes> unpacked_bytes(NpyBytes& bytes, int64_t count, const std::string& name) {
  auto out = std::make_unique<UnpackedBytes>(count, name);
  std::vector<char> block(size_t{1} << 18);
  for (int64_t done = 0; done < count;) {
    const auto part = std::min<int64_t>(static_cast<int64_t>(block.size()), count - done);
    const std::span<char> now(block.data(), static_cast<size_t>(part));
    if (bytes.read(done, now) < now.size()) {
      fail<IoError>("read_npy", name, format_bytes(count) + " of header and values",
                    "the end of the data before", "The file is cut off; write it again.");
    }
    out->append(now);
    done += part;
  }
  return out;
}

}  // namespace contraflow::data
