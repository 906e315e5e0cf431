#include "contraflow/data/npy_file.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/npy_bytes.h"
#include "contraflow/data/npy_values.h"
#include "contraflow/data/row_file.h"

namespace contraflow::data {
namespace {

constexpr const char* kReadNpy = "read_npy";
constexpr const char* kRewrite = "Write the file again with numpy.save().";
constexpr int64_t kBlockBytes = int64_t{1} << 20;

// Converts `count` values of type T to type Out; returns the position of the first that float64 cannot
// hold, or -1. With `lenient` such values are NaN.
template <class T, class Out>
int64_t convert(const char* bytes, int64_t count, bool swap, bool lenient, void* to) {
  auto* out = static_cast<Out*>(to);
  for (int64_t i = 0; i < count; ++i) {
    const T value = load_value<T>(bytes + i * static_cast<int64_t>(sizeof(T)), swap);
    out[i] = static_cast<Out>(value);
    if constexpr (std::is_same_v<Out, double> && std::is_integral_v<T>) {
      if (is_exact(value)) continue;
      if (!lenient) return i;
      out[i] = std::numeric_limits<double>::quiet_NaN();
    }
  }
  return -1;
}

using Converter = int64_t (*)(const char*, int64_t, bool, bool, void*);

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

Reading reading_of(const NpyType& type) {
  const int64_t bytes = type.item_bytes;
  switch (type.kind == 'b' ? 'u' : type.kind) {
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

std::unique_ptr<NpyBytes> open_npy(const std::filesystem::path& path) {
  if (parse_row_file(path).compression != Compression::kGzip) return plain_bytes(path);
  return streamed_bytes(open_bytes(path, Compression::kGzip));
}

}  // namespace

NpyFile::NpyFile(const std::filesystem::path& path) : NpyFile(open_npy(path), path.string()) {}

NpyFile::NpyFile(std::unique_ptr<NpyBytes> bytes, std::string name)
    : bytes_(std::move(bytes)), name_(std::move(name)) {
  header_ = parse_npy_header(read_header(), name_);
  for (const int64_t size : event_shape()) event_values_ *= size;
  check_size();
  // Strips lie far from each other: a compressed file would be decompressed again for each of them.
  const bool strips = header_.fortran_order && event_values_ > 1;
  if (!strips || bytes_->size()) return;
  auto unpacked = unpacked_bytes(*bytes_, bytes_expected(), name_);
  check_end(0, rows());
  bytes_ = std::move(unpacked);
}

NpyFile::~NpyFile() = default;
NpyFile::NpyFile(NpyFile&&) noexcept = default;

// Reads magic, version and length; returns the text of the dictionary.
std::string NpyFile::read_header() {
  std::array<char, 12> bytes{};
  const size_t available = bytes_->read(0, bytes);
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
  std::string text(static_cast<size_t>(std::min(length, kLongest)), '\0');
  if (length > kLongest || bytes_->read(text_offset, text) < text.size()) {
    fail<IoError>(kReadNpy, name_, "a header within the file and 1 MiB", format_bytes(length),
                  "The file is cut off or damaged. " + std::string(kRewrite));
  }
  data_offset_ = text_offset + length;
  return text;
}

// count() <= 2^48 and records are counted in it by their bytes / 8, so this cannot overflow.
int64_t NpyFile::bytes_expected() const {
  return data_offset_ + header_.count() * header_.item_bytes;
}

void NpyFile::check_size() const {
  const auto size = bytes_->size();
  if (!size || *size == bytes_expected()) return;
  fail<IoError>(
      kReadNpy, name_,
      std::to_string(bytes_expected() - data_offset_) + " bytes of values for shape " +
          c10::str(at::IntArrayRef(header_.shape)),
      std::to_string(*size - data_offset_),
      (*size < bytes_expected() ? "The file is cut off. " : "There are extra bytes at the end. ") +
          std::string(kRewrite));
}

void NpyFile::require(int64_t offset, std::span<char> out) const {
  if (bytes_->read(offset, out) == out.size()) return;
  fail<IoError>(kReadNpy, name_,
                std::to_string(bytes_expected() - data_offset_) + " bytes of values for shape " +
                    c10::str(at::IntArrayRef(header_.shape)),
                "fewer", "The file is cut off. " + std::string(kRewrite));
}

// After the last row nothing may follow; this also has a checksum at the end compared.
void NpyFile::check_end(int64_t first, int64_t count) const {
  if (bytes_->size() || first + count < rows()) return;
  std::array<char, 1> more{};
  if (bytes_->read(bytes_expected(), more) == 0) return;
  fail<IoError>(kReadNpy, name_,
                std::to_string(bytes_expected() - data_offset_) + " bytes of values for shape " +
                    c10::str(at::IntArrayRef(header_.shape)),
                "more", "There are extra bytes at the end. " + std::string(kRewrite));
}

std::vector<int64_t> NpyFile::event_shape() const {
  if (header_.shape.empty()) return {};
  return {header_.shape.begin() + 1, header_.shape.end()};
}

int64_t NpyFile::most_rows() const {
  if (bytes_->size()) return std::numeric_limits<int64_t>::max();
  constexpr int64_t kMostBytes = int64_t{1} << 26;
  const int64_t row_bytes = std::max<int64_t>(event_values_, 1) * header_.item_bytes;
  if (row_bytes > kMostBytes) {
    fail<IoError>(kReadNpy, name_,
                  "rows of at most " + format_bytes(kMostBytes) + " in a compressed file",
                  format_bytes(row_bytes), "Decompress it, if that is its true size.");
  }
  return std::max<int64_t>(1, kMostBytes / row_bytes);
}

at::ScalarType NpyFile::kept_type() const {
  return header_.fields.empty() ? reading_of(header_.type).kept_type : at::kDouble;
}

void NpyFile::read_values(int64_t first_value, int64_t count, at::ScalarType type, bool lenient,
                          void* out) const {
  const Reading how = reading_of(header_.type);
  const Converter convert_block = type == at::kDouble ? how.wide : how.kept;
  const auto out_bytes = static_cast<int64_t>(c10::elementSize(type));
  const int64_t block = kBlockBytes / header_.item_bytes;  // values per read
  std::vector<char> buffer(static_cast<size_t>(std::min(block, count) * header_.item_bytes));
  for (int64_t done = 0; done < count; done += block) {
    const int64_t now = std::min(block, count - done);
    const std::span<char> bytes(buffer.data(), static_cast<size_t>(now * header_.item_bytes));
    require(data_offset_ + (first_value + done) * header_.item_bytes, bytes);
    const int64_t bad = convert_block(bytes.data(), now, header_.type.big_endian, lenient,
                                      static_cast<char*>(out) + done * out_bytes);
    if (bad < 0) continue;
    fail<DomainError>(kReadNpy, name_, "integers within 2^53, which float64 holds exactly",
                      "a larger one as value " + std::to_string(first_value + done + bad),
                      "Subtract an offset, or save float64.");
  }
}

at::Tensor NpyFile::read(int64_t first, int64_t count, at::ScalarType type, bool lenient) const {
  if (!header_.fields.empty()) {
    fail<IoError>(kReadNpy, name_, "an array of numbers", "records with named fields",
                  "Save one plain array of numbers, or read the fields as columns.");
  }
  const auto options = at::TensorOptions().dtype(type);
  std::vector<int64_t> shape{count};
  const std::vector<int64_t> event = event_shape();
  if (!header_.fortran_order || header_.shape.size() < 2) {
    shape.insert(shape.end(), event.begin(), event.end());
    if (header_.shape.empty()) shape.clear();
    at::Tensor out = at::empty(shape, options);
    read_values(first * event_values_, out.numel(), type, lenient, out.data_ptr());
    check_end(first, count);
    return out;
  }
  // Fortran order: the first axis is the fastest, so rows lie in one strip per value of an event,
  // and the strips follow each other with the event's first axis the fastest.
  shape.insert(shape.begin(), event.rbegin(), event.rend());
  at::Tensor strips = at::empty(shape, options);
  for (int64_t k = 0; k < event_values_; ++k) {
    read_values(k * rows() + first, count, type, lenient,
                static_cast<char*>(strips.data_ptr()) + k * count * strips.element_size());
  }
  check_end(first, count);
  std::vector<int64_t> reversed(shape.size());
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  return strips.permute(reversed).contiguous();
}

void NpyFile::visit_columns(int64_t first, int64_t count, const std::vector<int64_t>& columns,
                            const std::function<void(const NpyValues&)>& visit) const {
  const bool strips = header_.fortran_order && event_values_ > 1;
  strips ? visit_strips(first, count, columns, visit) : visit_rows(first, count, columns, visit);
  check_end(first, count);
}

void NpyFile::visit_rows(int64_t first, int64_t count, const std::vector<int64_t>& columns,
                         const std::function<void(const NpyValues&)>& visit) const {
  const int64_t row_bytes = event_values_ * header_.item_bytes;
  const int64_t block = std::max<int64_t>(1, kBlockBytes / row_bytes);
  std::vector<char> buffer(static_cast<size_t>(std::min(block, count) * row_bytes));
  for (int64_t done = 0; done < count; done += block) {
    const int64_t now = std::min(block, count - done);
    require(data_offset_ + (first + done) * row_bytes,
            {buffer.data(), static_cast<size_t>(now * row_bytes)});
    for (size_t i = 0; i < columns.size(); ++i) {
      NpyValues values{i, header_.type, buffer.data(), row_bytes, done, now};
      if (header_.fields.empty()) {
        values.bytes += columns[i] * header_.item_bytes;
      } else {
        const NpyField& field = header_.fields[static_cast<size_t>(columns[i])];
        values.type = field.type.value();
        values.bytes += field.offset;
      }
      visit(values);
    }
  }
}

void NpyFile::visit_strips(int64_t first, int64_t count, const std::vector<int64_t>& columns,
                           const std::function<void(const NpyValues&)>& visit) const {
  const int64_t bytes = header_.item_bytes;
  const int64_t block = kBlockBytes / bytes;
  std::vector<char> buffer(static_cast<size_t>(std::min(block, count) * bytes));
  for (size_t i = 0; i < columns.size(); ++i) {
    for (int64_t done = 0; done < count; done += block) {
      const int64_t now = std::min(block, count - done);
      require(data_offset_ + (columns[i] * rows() + first + done) * bytes,
              {buffer.data(), static_cast<size_t>(now * bytes)});
      visit({i, header_.type, buffer.data(), bytes, done, now});
    }
  }
}

}  // namespace contraflow::data
