// Files of images, written byte by byte as their formats say, without the code that reads them.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/crc32.h"
#include "contraflow/data/byte_sink.h"
#include "contraflow/data/npy_header.h"
#include "tests/support/temp_folder.h"

namespace contraflow::testing {

/// Bytes [sizes] that differ from image to image, channel to channel and pixel to pixel.
inline at::Tensor some_pixels(at::IntArrayRef sizes, int64_t start = 3) {
  const int64_t count = c10::multiply_integers(sizes);
  return (at::arange(count).add(start).mul(40503).remainder(65521))
      .remainder(256)
      .to(at::kByte)
      .view(sizes);
}

inline std::string bytes_of(const at::Tensor& values) {
  const at::Tensor plain = values.contiguous();
  return {static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()};
}

/// Four bytes, the highest first.
inline std::string big_endian(int64_t value) {
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(value >> shift & 0xFF);
  return out;
}

/// `count` bytes, the lowest first.
inline std::string little_endian(int64_t value, int count) {
  std::string out;
  for (int k = 0; k < count; ++k) out += static_cast<char>(value >> (8 * k) & 0xFF);
  return out;
}

inline void write_gzip(const std::filesystem::path& path, std::string_view bytes) {
  const auto sink = data::create_bytes(path, data::Compression::kGzip);
  sink->write(bytes);
  sink->commit();
}

/// Plain, or compressed where the name ends in .gz.
inline void write_either(const std::filesystem::path& path, std::string_view bytes) {
  path.extension() == ".gz" ? write_gzip(path, bytes) : write_bytes(path, bytes);
}

// ------------------------------------------------------------------------------------------ IDX

inline std::string idx_bytes(const at::Tensor& values) {
  std::string out{'\0', '\0', '\x08', static_cast<char>(values.dim())};
  for (const int64_t size : values.sizes()) out += big_endian(size);
  return out + bytes_of(values.to(at::kByte));
}

// ---------------------------------------------------------------------------------------- CIFAR

/// Records of labels [N, L] and pixels [N, 3, 32, 32].
inline std::string cifar_bytes(const at::Tensor& labels, const at::Tensor& pixels) {
  return bytes_of(at::cat({labels.to(at::kByte), pixels.flatten(1)}, 1));
}

// ------------------------------------------------------------------------------------------ PNG

inline std::string png_chunk(const std::string& type, const std::string& data) {
  return big_endian(std::ssize(data)) + type + data + big_endian(crc32(type + data));
}

/// zlib's format without compression.
inline std::string stored_zlib(const std::string& data) {
  uint32_t a = 1, b = 0;
  for (const char c : data) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  const auto size = std::ssize(data);
  return std::string("\x78\x01\x01") + little_endian(size, 2) + little_endian(~size, 2) + data +
         big_endian(int64_t{b} << 16 | a);
}

/// What the header of a PNG says; `rows` are the bytes of each line as they are packed.
struct PngText {
  int64_t width = 0, height = 0;
  int depth = 8;
  int color = 0;  ///< 0 grey, 2 colours, 3 palette, 4 grey and alpha, 6 colours and alpha.
  std::vector<std::string> rows = {};
  std::string before_data = {};  ///< Chunks.
};

inline std::string png_bytes(const PngText& png) {
  std::string lines;
  for (const std::string& row : png.rows) lines += std::string(1, '\0') + row;
  const std::string header = big_endian(png.width) + big_endian(png.height) +
                             static_cast<char>(png.depth) + static_cast<char>(png.color) +
                             std::string(3, '\0');
  return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + png.before_data +
         png_chunk("IDAT", stored_zlib(lines)) + png_chunk("IEND", "");
}

/// A picture of 8 bits of the image [C, H, W] with 1 or 3 channels.
inline std::string png_bytes(const at::Tensor& image) {
  PngText png{.width = image.size(2), .height = image.size(1), .color = image.size(0) == 1 ? 0 : 2};
  const at::Tensor lines = image.permute({1, 2, 0}).contiguous();
  for (int64_t y = 0; y < png.height; ++y) png.rows.push_back(bytes_of(lines[y]));
  return png_bytes(png);
}

// ------------------------------------------------------------------------------------------ NPZ

inline std::string npy_bytes(const at::Tensor& values) {
  const char* descr = values.scalar_type() == at::kByte   ? "|u1"
                      : values.scalar_type() == at::kLong ? "<i8"
                                                          : "<f4";
  return data::make_npy_header(descr, values.sizes().vec()) + bytes_of(values);
}

/// A zip archive of stored members, as numpy.savez writes it.
inline std::string npz_bytes(const std::map<std::string, at::Tensor>& arrays) {
  std::string files, directory;
  for (const auto& [name, values] : arrays) {
    const std::string data = npy_bytes(values), member = name + ".npy";
    const std::string about = little_endian(20, 2) + std::string(8, '\0') +
                              little_endian(crc32(data), 4) + little_endian(std::ssize(data), 4) +
                              little_endian(std::ssize(data), 4) +
                              little_endian(std::ssize(member), 2) + little_endian(0, 2);
    directory += "PK\x01\x02" + little_endian(20, 2) + about + std::string(10, '\0') +
                 little_endian(std::ssize(files), 4) + member;
    files += "PK\x03\x04" + about + member + data;
  }
  const auto count = static_cast<int64_t>(arrays.size());
  return files + directory + "PK\x05\x06" + std::string(4, '\0') + little_endian(count, 2) +
         little_endian(count, 2) + little_endian(std::ssize(directory), 4) +
         little_endian(std::ssize(files), 4) + little_endian(0, 2);
}

}  // namespace contraflow::testing
