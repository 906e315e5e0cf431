#include "contraflow/data/npy_file.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <span>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"

namespace contraflow::data {
namespace {

static_assert(std::endian::native == std::endian::little, "byte swapping below assumes it");

constexpr const char* kReadNpy = "read_npy";
constexpr const char* kRewrite = "Write the file again with numpy.save().";

// Converts `count` values of type T to type Out; returns the position of the first that float64 cannot
// hold, or -1.
template <class T, class Out>
int64_t convert(const char* bytes, int64_t count, bool swap, void* to) {
  constexpr double kExact = 0x1p53;
  auto* out = static_cast<Out*>(to);
  for (int64_t i = 0; i < count; ++i) {
    std::array<char, sizeof(T)> raw;
    std::memcpy(raw.data(), bytes + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    if (swap) std::reverse(raw.begin(), raw.end());
    T value;
    std::memcpy(&value, raw.data(), sizeof(T));
    out[i] = static_cast<Out>(value);
    if constexpr (std::is_integral_v<T> && sizeof(T) == 8) {
      if (out[i] > kExact || out[i] < -kExact) return i;
    }
  }
  return -1;
}

using Converter = int64_t (*)(const char*, int64_t, bool, void*);

// How values of one type are read: as float64, and as a smaller type that holds them.
struct Reading {
  Converter wide;
  Converter kept;
  at::ScalarType kept_type;
};

template <class T, class Kept>
Reading reading() {
  return {convert<T, double>, convert<T, Kept>, c10::CppTypeToScalarType<Kept>::value};
}

Reading reading_of(const NpyHeader& header) {
  const int64_t bytes = header.item_bytes;
  switch (header.kind == 'b' ? 'u' : header.kind) {
    case 'f':
      return bytes == 2   ? reading<at::Half, float>()
             : bytes == 4 ? reading<float, float>()
                          : reading<double, double>();
    case 'i':
      return bytes == 1   ? reading<int8_t, int8_t>()
             : bytes == 2 ? reading<int16_t, int16_t>()
             : bytes == 4 ? reading<int32_t, int32_t>()
                          : reading<int64_t, double>();
    default:
      return bytes == 1   ? reading<uint8_t, uint8_t>()
             : bytes == 2 ? reading<uint16_t, int32_t>()
             : bytes == 4 ? reading<uint32_t, double>()
                          : reading<uint64_t, double>();
  }
}

}  // namespace

NpyFile::NpyFile(const std::filesystem::path& path) : file_(path), name_(path.string()) {
  header_ = parse_npy_header(read_header(), name_);
  for (const int64_t size : event_shape()) event_values_ *= size;
  check_size();
}

// Reads magic, version and length; returns the text of the dictionary.
std::string NpyFile::read_header() {
  std::array<char, 12> bytes{};
  const auto available = static_cast<size_t>(std::min<int64_t>(file_.size(), 12));
  file_.read_at(0, {bytes.data(), available});
  const auto start = std::bit_cast<std::array<uint8_t, 12>>(bytes);
  if (available < 10 || std::memcmp(bytes.data(), "\x93NUMPY", 6) != 0) {
    fail<IoError>(kReadNpy, name_, "a file that starts with \\x93NUMPY",
                  available == 0 ? "an empty file" : "something else",
                  "Check that this is an .npy file; .npz archives hold several of them.");
  }
  const int version = start[6];
  if (version < 1 || version > 3 || start[7] != 0) {
    fail<IoError>(kReadNpy, name_, "format version 1.0, 2.0 or 3.0",
                  std::to_string(version) + "." + std::to_string(start[7]), kRewrite);
  }
  int64_t length = start[8] | start[9] << 8;
  if (version > 1) length |= int64_t{start[10]} << 16 | int64_t{start[11]} << 24;
  const int64_t text_offset = version > 1 ? 12 : 10;
  constexpr int64_t kLongest = int64_t{1} << 20;
  if (length > kLongest || text_offset + length > file_.size()) {
    fail<IoError>(kReadNpy, name_,
                  "a header within the file's " + format_bytes(file_.size()) + " and 1 MiB",
                  format_bytes(length), "The file is cut off or damaged. " + std::string(kRewrite));
  }
  std::string text(static_cast<size_t>(length), '\0');
  file_.read_at(text_offset, text);
  data_offset_ = text_offset + length;
  return text;
}

void NpyFile::check_size() const {
  // count() <= 2^48 and item_bytes <= 8, so this cannot overflow.
  const int64_t expected = header_.count() * header_.item_bytes;
  const int64_t got = file_.size() - data_offset_;
  if (got == expected) return;
  fail<IoError>(kReadNpy, name_,
                std::to_string(expected) + " bytes of values for shape " +
                    c10::str(at::IntArrayRef(header_.shape)),
                std::to_string(got),
                (got < expected ? "The file is cut off. " : "There are extra bytes at the end. ") +
                    std::string(kRewrite));
}

std::vector<int64_t> NpyFile::event_shape() const {
  if (header_.shape.empty()) return {};
  return {header_.shape.begin() + 1, header_.shape.end()};
}

at::ScalarType NpyFile::kept_type() const { return reading_of(header_).kept_type; }

void NpyFile::read_values(int64_t first_value, int64_t count, at::ScalarType type,
                          void* out) const {
  constexpr int64_t kBlock = int64_t{1} << 17;  // values per read: memory stays within 1 MiB
  const Reading how = reading_of(header_);
  const Converter convert_block = type == at::kDouble ? how.wide : how.kept;
  const auto out_bytes = static_cast<int64_t>(c10::elementSize(type));
  std::vector<char> buffer(static_cast<size_t>(std::min(kBlock, count) * header_.item_bytes));
  for (int64_t done = 0; done < count; done += kBlock) {
    const int64_t now = std::min(kBlock, count - done);
    const std::span<char> bytes(buffer.data(), static_cast<size_t>(now * header_.item_bytes));
    file_.read_at(data_offset_ + (first_value + done) * header_.item_bytes, bytes);
    const int64_t bad = convert_block(bytes.data(), now, header_.big_endian,
                                      static_cast<char*>(out) + done * out_bytes);
    if (bad < 0) continue;
    fail<DomainError>(kReadNpy, name_, "integers within 2^53, which float64 holds exactly",
                      "a larger one as value " + std::to_string(first_value + done + bad),
                      "Subtract an offset, or save float64.");
  }
}

at::Tensor NpyFile::read(int64_t first, int64_t count, at::ScalarType type) const {
  const auto options = at::TensorOptions().dtype(type);
  std::vector<int64_t> shape{count};
  const std::vector<int64_t> event = event_shape();
  if (!header_.fortran_order || header_.shape.size() < 2) {
    shape.insert(shape.end(), event.begin(), event.end());
    if (header_.shape.empty()) shape.clear();
    at::Tensor out = at::empty(shape, options);
    read_values(first * event_values_, out.numel(), type, out.data_ptr());
    return out;
  }
  // Fortran order: the first axis is the fastest, so rows lie in one strip per value of an event,
  // and the strips follow each other with the event's first axis the fastest.
  shape.insert(shape.begin(), event.rbegin(), event.rend());
  at::Tensor strips = at::empty(shape, options);
  for (int64_t k = 0; k < event_values_; ++k) {
    read_values(k * rows() + first, count, type,
                static_cast<char*>(strips.data_ptr()) + k * count * strips.element_size());
  }
  std::vector<int64_t> reversed(shape.size());
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  return strips.permute(reversed).contiguous();
}

}  // namespace contraflow::data
