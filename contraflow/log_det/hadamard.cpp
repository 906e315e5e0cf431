#include "contraflow/log_det/hadamard.h"

#include <ATen/ATen.h>

#include <bit>
#include <cstdint>

#include "contraflow/core/parallel.h"

namespace contraflow {
namespace {

// The columns first, first + 1, ... of all groups that some rows take.
struct HadamardColumns {
  int64_t order, first, first_group, groups;

  HadamardColumns(int64_t probes, int64_t batch, int64_t dim, const Rng& rng)
      : order(static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(dim)))),
        first(rng.first_row() * probes),
        first_group(first / order),
        groups((first + batch * probes - 1) / order - first_group + 1) {}
};

}  // namespace

at::Tensor hadamard_probes_on_tensors(int64_t probes, int64_t batch, int64_t dim,
                                      const at::TensorOptions& options, const Rng& rng) {
  const HadamardColumns c(probes, batch, dim, rng);
  const at::Tensor signs = rng.rows_from(c.first_group).rademacher({c.groups, dim}, options);
  const at::TensorOptions whole = signs.options().dtype(at::kLong);
  const at::Tensor n = at::arange(c.first, c.first + batch * probes, whole);
  at::Tensor parity = n.unsqueeze(1).bitwise_and(at::arange(dim, whole));
  for (const int64_t shift : {16, 8, 4, 2, 1})  // a feature's number has fewer than 32 bits
    parity = parity.bitwise_xor(parity.bitwise_right_shift(shift));
  const at::Tensor group = n.floor_divide(c.order) - c.first_group;
  const at::Tensor flips = (1 - 2 * parity.bitwise_and(1)).to(signs.scalar_type());
  return (signs.index_select(0, group) * flips).view({batch, probes, dim});
}

at::Tensor hadamard_probes(int64_t probes, int64_t batch, int64_t dim,
                           const at::TensorOptions& options, const Rng& rng) {
  if (!options.device().is_cpu())
    return hadamard_probes_on_tensors(probes, batch, dim, options, rng);
  const HadamardColumns c(probes, batch, dim, rng);
  const at::Tensor signs = rng.rows_from(c.first_group).rademacher({c.groups, dim}, at::kDouble);
  at::Tensor out = at::empty({batch, probes, dim}, at::kDouble);
  const auto* s = signs.data_ptr<double>();
  auto* v = out.data_ptr<double>();
  parallel_for(0, batch * probes, 64, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t n = c.first + k;
      const double* own = s + (n / c.order - c.first_group) * dim;
      for (int64_t i = 0; i < dim; ++i) {
        v[k * dim + i] = std::popcount(static_cast<uint64_t>(i & n)) % 2 == 0 ? own[i] : -own[i];
      }
    }
  });
  return out.to(options);
}

}  // namespace contraflow
