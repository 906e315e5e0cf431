#include "contraflow/data/images/png.h"

#include <ATen/ATen.h>
#include <png.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/file.h"
#include "contraflow/core/text.h"
#include "contraflow/data/images/image_file.h"

namespace contraflow::data::images {
namespace {

constexpr const char* kReadPng = "read_png";

struct PngInput {
  std::string bytes;
  size_t read = 0;
};

using PngProblem = std::array<char, 128>;

void give_bytes(png_structp png, png_bytep out, size_t count) {
  auto* input = static_cast<PngInput*>(png_get_io_ptr(png));
  if (count > input->bytes.size() - input->read) png_error(png, "the end of the file");
  std::memcpy(out, input->bytes.data() + input->read, count);
  input->read += count;
}

[[noreturn]] void keep_problem(png_structp png, png_const_charp text) {
  auto* problem = static_cast<PngProblem*>(png_get_error_ptr(png));
  std::strncpy(problem->data(), text, problem->size() - 1);
  png_longjmp(png, 1);
}

void drop_warning(png_structp /*png*/, png_const_charp /*text*/) {}

// libpng leaves the next three by a jump, so nothing in them has a destructor. False: it did.

bool read_header(png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;  // NOLINT: libpng's way to report errors
  png_read_info(png, info);
  return true;
}

// Grey and colours in one byte each.
bool ask_for_bytes(png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;  // NOLINT
  const png_byte color = png_get_color_type(png, info);
  if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (color == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return true;
}

bool read_rows(png_structp png, png_bytepp rows) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;  // NOLINT
  png_read_image(png, rows);
  png_read_end(png, nullptr);
  return true;
}

class PngDecoder {
 public:
  explicit PngDecoder(const std::filesystem::path& path) : name_(path.string()) {
    constexpr int64_t kMostBytes = int64_t{1} << 30;
    input_.bytes = read_file(path, kMostBytes);
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &problem_, keep_problem, drop_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ != nullptr) return;
    png_destroy_read_struct(&png_, nullptr, nullptr);
    fail<IoError>(kReadPng, name_, "memory to decode", "none", "Free some memory.");
  }
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  at::Tensor read() {
    png_set_read_fn(png_, &input_, give_bytes);
    require(read_header(png_, info_));
    check_kind();
    check_size();
    require(ask_for_bytes(png_, info_));
    const int64_t height = png_get_image_height(png_, info_);
    const int64_t width = png_get_image_width(png_, info_);
    const int64_t channels = png_get_channels(png_, info_);
    at::Tensor out = at::empty({height, width, channels}, at::kByte);
    std::vector<png_bytep> rows(static_cast<size_t>(height));
    for (int64_t y = 0; y < height; ++y) {
      rows[static_cast<size_t>(y)] = out.data_ptr<uint8_t>() + y * width * channels;
    }
    require(read_rows(png_, rows.data()));
    return out.permute({2, 0, 1}).contiguous();
  }

 private:
  void require(bool done) const {
    if (done) return;
    fail<IoError>(kReadPng, name_, "a whole PNG file", shorten(problem_.data(), 120),
                  "The file is cut off, damaged or no PNG; write it again.");
  }

  void check_kind() const {
    if (png_get_bit_depth(png_, info_) > 8) {
      fail<IoError>(kReadPng, name_, "8 bits or fewer a channel, values 0 .. 255",
                    std::to_string(png_get_bit_depth(png_, info_)),
                    "Convert it, if the lower bits may be lost.");
    }
    const bool alpha = (png_get_color_type(png_, info_) & PNG_COLOR_MASK_ALPHA) != 0 ||
                       png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
    if (!alpha) return;
    fail<IoError>(kReadPng, name_, "grey or colours alone", "an alpha channel or transparency",
                  "Put the picture on a background: what lies behind it is not in the file.");
  }

  // Rows are compressed by zlib, with one byte more in each.
  void check_size() const {
    const int64_t height = png_get_image_height(png_, info_);
    const int64_t width = png_get_image_width(png_, info_);
    const int64_t row_bytes = 1 + static_cast<int64_t>(png_get_rowbytes(png_, info_));
    const int64_t most = std::ssize(input_.bytes) * kMostInflation;
    if (row_bytes <= most / height) return;
    fail<IoError>(kReadPng, name_ + ", width and height",
                  "a picture that " + format_bytes(std::ssize(input_.bytes)) + " can hold",
                  std::to_string(width) + " x " + std::to_string(height),
                  "The file is cut off or damaged; write it again.");
  }

  std::string name_;
  PngInput input_;
  PngProblem problem_{};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

bool is_png_file(const std::filesystem::path& path) {
  return !is_compressed(path) && plain_name(path).ends_with(".png");
}

at::Tensor read_png(const std::filesystem::path& path) { return PngDecoder(path).read(); }

void write_png(const std::filesystem::path& path, const at::Tensor& image) {
  const at::Tensor lines = image.permute({1, 2, 0}).contiguous();
  png_image out{};
  out.version = PNG_IMAGE_VERSION;
  out.height = static_cast<png_uint_32>(lines.size(0));
  out.width = static_cast<png_uint_32>(lines.size(1));
  out.format = lines.size(2) == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(out);
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&out, bytes.data(), &size, /*convert_to_8_bit=*/0,
                                lines.const_data_ptr(), /*row_stride=*/0, nullptr) == 0) {
    fail<IoError>("write_png", path.string(), "a PNG written by libpng", out.message,
                  "Free some memory.");
  }
  bytes.resize(size);
  atomic_write(path, bytes);
}

}  // namespace contraflow::data::images
