#include "contraflow/data/images/image_file.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <system_error>

namespace contraflow::data::images {
namespace {

constexpr std::string_view kGzipEnding = ".gz";

std::string lower_name(const std::filesystem::path& path) {
  std::string out = path.filename().string();
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

int64_t most_bytes_of(const std::filesystem::path& path, bool compressed) {
  std::error_code error;  // what is wrong with the path is said by who opens it
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path, error));
  if (error) return 0;
  return compressed ? size * kMostInflation : size;
}

}  // namespace

ImageFile::ImageFile(const std::filesystem::path& path)
    : name_(path.string()),
      compressed_(is_compressed(path)),
      most_bytes_(most_bytes_of(path, compressed_)),
      source_(open_bytes(path, compressed_ ? Compression::kGzip : Compression::kNone)) {}

size_t ImageFile::read(std::span<char> out) {
  const size_t count = read_fully(*source_, out);
  read_ += static_cast<int64_t>(count);
  return count;
}

at::Tensor ImageFile::read(int64_t most) {
  constexpr int64_t kUntrusted = int64_t{1} << 26;
  most = std::min(most, std::max<int64_t>(0, most_bytes_ - read_));
  at::Tensor out = at::empty({compressed_ ? std::min(most, kUntrusted) : most}, at::kByte);
  for (int64_t have = 0;;) {
    const int64_t wanted = out.size(0) - have;
    auto* to = reinterpret_cast<char*>(out.data_ptr<uint8_t>()) + have;
    const auto count = static_cast<int64_t>(read({to, static_cast<size_t>(wanted)}));
    have += count;
    if (count < wanted) return out.narrow(0, 0, have).clone();
    if (have == most) return out;
    at::Tensor larger = at::empty({std::min(most, 2 * have)}, at::kByte);
    larger.narrow(0, 0, have).copy_(out);
    out = larger;
  }
}

bool ImageFile::at_end() {
  std::array<char, 1> more{};
  return read(more) == 0;
}

bool is_compressed(const std::filesystem::path& path) {
  return lower_name(path).ends_with(kGzipEnding);
}

std::string plain_name(const std::filesystem::path& path) {
  std::string out = lower_name(path);
  if (out.ends_with(kGzipEnding)) out.resize(out.size() - kGzipEnding.size());
  return out;
}

}  // namespace contraflow::data::images
