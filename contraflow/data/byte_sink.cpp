#include "contraflow/data/byte_sink.h"

#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>

#include "contraflow/core/error.h"
#include "contraflow/core/file.h"

namespace contraflow::data {
namespace {

class FileSink final : public ByteSink {
 public:
  explicit FileSink(const std::filesystem::path& path) : file_(path) {}
  void write(std::string_view bytes) override { file_.write(bytes); }
  void commit() override { file_.commit(); }

 private:
  AtomicFile file_;
};

class GzipSink final : public ByteSink {
 public:
  explicit GzipSink(const std::filesystem::path& path) : file_(path) {
    constexpr int kGzip =
        15 + 16;  // the largest window, with gzip's header, which has no time in it
    constexpr int kMemory = 8;
    if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, kMemory,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      fail<IoError>("write_gzip", path.string(), "memory to compress", "none", "Free some memory.");
    }
  }
  ~GzipSink() override { deflateEnd(&stream_); }
  GzipSink(const GzipSink&) = delete;
  GzipSink& operator=(const GzipSink&) = delete;

  void write(std::string_view bytes) override {
    constexpr size_t kMost = size_t{1} << 30;  // zlib counts in 32 bits
    for (; !bytes.empty(); bytes.remove_prefix(std::min(kMost, bytes.size()))) {
      compress(bytes.substr(0, kMost), Z_NO_FLUSH);
    }
  }
  void commit() override {
    compress({}, Z_FINISH);
    file_.commit();
  }

 private:
  void compress(std::string_view bytes, int flush) {
    stream_.next_in = reinterpret_cast<z_const Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    int result = Z_OK;
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      result = deflate(&stream_, flush);
      file_.write({buffer_.data(), buffer_.size() - stream_.avail_out});
    } while (stream_.avail_out == 0 || (flush == Z_FINISH && result == Z_OK));
  }

  AtomicFile file_;
  z_stream stream_ = {};
  std::array<char, size_t{1} << 16> buffer_{};
};

// A reader that has gone must become an error here. Without this it is a signal, which ends the process,
// and a library has no handlers of its own: the signal is held back for this thread, and taken.
class HeldPipeSignal {
 public:
  HeldPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~HeldPipeSignal() {
    const int error = errno;
    const timespec now = {};
    if (!was_pending_) {
      while (sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
  }
  HeldPipeSignal(const HeldPipeSignal&) = delete;
  HeldPipeSignal& operator=(const HeldPipeSignal&) = delete;

 private:
  sigset_t pipe_ = {};
  sigset_t before_ = {};
  bool was_pending_ = false;
};

// Rows go out as they come, so that a program after ours can start on them.
class StandardOutput final : public ByteSink {
 public:
  void write(std::string_view bytes) override {
    const HeldPipeSignal held;
    while (!bytes.empty()) {
      const ssize_t count = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) {
        fail<IoError>("write", "the standard output", "to write all rows",
                      std::generic_category().message(errno),
                      "Check the program or the disk that they go to.");
      }
      bytes.remove_prefix(static_cast<size_t>(count));
    }
  }
  void commit() override {}
};

}  // namespace

std::unique_ptr<ByteSink> create_bytes(const std::filesystem::path& path, Compression compression) {
  if (path == "-") return std::make_unique<StandardOutput>();
  if (compression == Compression::kGzip) return std::make_unique<GzipSink>(path);
  return std::make_unique<FileSink>(path);
}

}  // namespace contraflow::data
