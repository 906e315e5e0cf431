#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/core/rng.h"

namespace contraflow {

/// Rademacher probes of which consecutive ones are orthogonal, [batch, probes, dim]: row r, probe q
/// is diag(signs of its group) times column n = r * probes + q of a Hadamard matrix of order >= dim
/// (Sylvester's: entry (-1)^popcount(i & n)); a group is one pass through the columns. Rows are
/// absolute (Rng::first_row). Drawn where `options` say.
at::Tensor hadamard_probes(int64_t probes, int64_t batch, int64_t dim,
                           const at::TensorOptions& options, const Rng& rng);
/// The same bits as tensor operations, on any device: what it does where the device is not the host.
at::Tensor hadamard_probes_on_tensors(int64_t probes, int64_t batch, int64_t dim,
                                      const at::TensorOptions& options, const Rng& rng);

}  // namespace contraflow
