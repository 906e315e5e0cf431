#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

namespace contraflow::data::images {

/// The name ends in .png, in upper or lower case.
bool is_png_file(const std::filesystem::path& path);

/// The pixels of a PNG file, exactly as they are stored: gamma and colour profiles are not applied.
///
/// Shapes     [C, H, W]: one channel of a grey picture, three of a coloured one.
/// Types      uint8. Grey of 1, 2 and 4 bits is spread over 0 .. 255, a palette becomes its colours: both keep
///            every pixel apart.
/// Throws     IoError: cut off, damaged; sizes that the file cannot hold, looked at before memory is asked
///            for. 16 bits, because 8 of them would be lost; alpha, because what lies behind a pixel
///            is not in the file.
/// Source     libpng 1.6
/// Example    const at::Tensor image = read_png("cat.png");
at::Tensor read_png(const std::filesystem::path& path);

/// Writes an image [1, H, W] or [3, H, W] of uint8, which read_png() gives back; whole or not at all.
/// IoError: cannot be written.
void write_png(const std::filesystem::path& path, const at::Tensor& image);

}  // namespace contraflow::data::images
