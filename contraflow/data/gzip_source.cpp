#include <zlib.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/data/byte_source.h"

namespace contraflow::data {
namespace {

constexpr int kGzipWindow = 15 + 16;  // the largest window, with gzip's header and checksum

class GzipSource final : public ByteSource {
 public:
  GzipSource(std::unique_ptr<ByteSource> stored, std::string name)
      : stored_(std::move(stored)), name_(std::move(name)), buffer_(size_t{1} << 17) {
    if (inflateInit2(&stream_, kGzipWindow) != Z_OK) {
      fail<IoError>("read_gzip", name_, "memory to decompress", "none", "Free some memory.");
    }
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  size_t read(std::span<char> out) override {
    const size_t wanted = std::min(out.size(), size_t{1} << 30);  // zlib counts in 32 bits
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(wanted);
    while (stream_.avail_out == wanted && begin_member()) {
      const int result = ::inflate(&stream_, Z_NO_FLUSH);
      in_member_ = result != Z_STREAM_END;
      if (result == Z_OK || result == Z_STREAM_END) continue;
      if (result == Z_BUF_ERROR && stream_.avail_in == 0) continue;  // begin_member() gets more
      fail_damaged(stream_.msg == nullptr ? "data that are not" : stream_.msg);
    }
    return wanted - stream_.avail_out;
  }

  double fraction_read() const override { return stored_->fraction_read(); }

  void rewind() override {
    stored_->rewind();
    stream_.avail_in = 0;
    inflateReset(&stream_);
    in_member_ = false;
    members_ = 0;
  }

 private:
  // Makes sure that there are compressed bytes; false where the last member has ended.
  bool begin_member() {
    if (stream_.avail_in == 0) refill();
    if (in_member_) {
      if (stream_.avail_in == 0) fail_cut_off();
      return true;
    }
    if (members_ > 0) skip_padding();
    if (stream_.avail_in == 0 && members_ > 0) return false;
    if (stream_.avail_in == 0) fail_damaged("an empty file");
    inflateReset(&stream_);
    in_member_ = true;
    ++members_;
    return true;
  }

  void refill() {
    const size_t count = stored_->read(buffer_);
    stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
    stream_.avail_in = static_cast<uInt>(count);
  }

  // Zeros may fill the file's last block.
  void skip_padding() {
    while (true) {
      while (stream_.avail_in > 0 && *stream_.next_in == 0) {
        ++stream_.next_in;
        --stream_.avail_in;
      }
      if (stream_.avail_in > 0) return;
      refill();
      if (stream_.avail_in == 0) return;
    }
  }

  [[noreturn]] void fail_cut_off() const {
    fail<IoError>("read_gzip", name_, "compressed data with their checksum at the end",
                  "the end of the file before", "The file is cut off; copy or make it again.");
  }
  [[noreturn]] void fail_damaged(const std::string& got) const {
    fail<IoError>("read_gzip", name_, "data compressed by gzip", got,
                  "The file is damaged or not compressed by gzip; gzip --test says the same.");
  }

  std::unique_ptr<ByteSource> stored_;
  std::string name_;
  std::vector<char> buffer_;
  z_stream stream_ = {};
  bool in_member_ = false;
  int64_t members_ = 0;
};

}  // namespace

std::unique_ptr<ByteSource> detail::inflate(std::unique_ptr<ByteSource> stored,
                                            const std::string& name) {
  return std::make_unique<GzipSource>(std::move(stored), name);
}

}  // namespace contraflow::data
