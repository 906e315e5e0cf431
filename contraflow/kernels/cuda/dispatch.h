#pragma once

#include "contraflow/kernels/cuda/plain.h"
#include "contraflow/kernels/tile/call.h"

namespace contraflow::kernels::cuda {

// What the library calls. In a build without CONTRAFLOW_CUDA the runs throw (dispatch_missing.cpp).

/// Whether this build holds the device kernels.
bool compiled();

/// run_tiles() (kernels/tile/call.h) on a device: every pointer of the call and of its program is
/// device memory, `stream` a cudaStream_t of the current device. Forward runs alone. The same
/// program, batch, type and card give the same bits.
/// Throws ConfigError (a sorting activation; a build without CUDA), Error (a failed CUDA call).
void run_tiles(TileCall<float>& call, void* stream);
void run_tiles(TileCall<double>& call, void* stream);

/// Activations of a strided batch, value, slope and curvature in one pass; see JetCall and
/// kind_of(). Throws as run_tiles().
void run_jets(const JetCall<float>& call, void* stream);
void run_jets(const JetCall<double>& call, void* stream);

}  // namespace contraflow::kernels::cuda
