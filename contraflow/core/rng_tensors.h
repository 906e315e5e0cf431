#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/core/rng.h"

namespace contraflow {

/// The draws of Rng as tensor operations on the device of `options`, so that nothing travels there:
/// what Rng's own draws do where the device is not the host. The words are the host's, bit for bit;
/// uniform numbers and signs as well, normal ones up to the device's logarithm and cosine.

/// Rng::words() of the next `rows` rows and of blocks 0 .. blocks - 1: [rows, blocks, 4], int64.
at::Tensor words_on_tensors(const Rng& rng, int64_t rows, int64_t blocks, at::Device device);
at::Tensor uniform_on_tensors(const Rng& rng, at::IntArrayRef sizes,
                              const at::TensorOptions& options);
at::Tensor normal_on_tensors(const Rng& rng, at::IntArrayRef sizes,
                             const at::TensorOptions& options);
at::Tensor rademacher_on_tensors(const Rng& rng, at::IntArrayRef sizes,
                                 const at::TensorOptions& options);

}  // namespace contraflow
