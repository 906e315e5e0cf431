#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

namespace contraflow::data::images {

/// An array of bytes in the IDX format of MNIST, also .gz: two zeros, the type 8 (unsigned bytes), the
/// number of axes, their sizes in four bytes each with the highest first, and the values with the
/// last axis the fastest.
///
/// Shapes     the sizes of the file, one to four axes.
/// Types      uint8.
/// Throws     IoError that names the field: no IDX file, another type, no or too many axes, an empty axis,
///            sizes that are not those of the file (looked at before memory is asked for), bytes
///            missing or left over.
/// Source     http://yann.lecun.com/exdb/mnist/
/// Example    const at::Tensor images = read_idx("train-images-idx3-ubyte.gz");
at::Tensor read_idx(const std::filesystem::path& path);

}  // namespace contraflow::data::images
