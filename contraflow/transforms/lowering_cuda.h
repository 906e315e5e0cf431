#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/kernels/tile/call.h"
#include "contraflow/transforms/lowering.h"

namespace contraflow {

/// Whether a program runs on x's device: a CUDA tensor, in a build with CUDA, while gradients are
/// off. Parameter gradients are handed to the layers through host memory (GradientTask), so with
/// gradients on a CUDA flow runs composed.
bool cuda_lowering_applies(const at::Tensor& x);

/// Whether the program kernels are the faster way for a net where the rows of `to` are: always on
/// the host. On a card, matrix products of whole batches win where nets are wide and rows many,
/// later where a solve repeats the net (measured: docs/kernels_cuda.md).
bool suits_device(const kernels::TileNet& net, bool solves, const TileLowering& to);

/// run_tiles() where x is: on the host, or on x's device and its current stream, where all pointers
/// of the call and its program but the series' counts point into that device's memory.
void run_tiles_at(const at::Tensor& x, kernels::TileCall<float>& call);
void run_tiles_at(const at::Tensor& x, kernels::TileCall<double>& call);

}  // namespace contraflow
