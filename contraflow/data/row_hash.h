#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace contraflow::data {

/// One number per row of [N, D] (float64) that depends on its values and on `seed` alone: equal rows
/// have equal ones. 0 and -0 are equal.
std::vector<uint64_t> hash_rows(const at::Tensor& rows, uint64_t seed);

/// The same, but copies of a row get numbers of their own: the first, the second, ...
void tell_copies_apart(std::vector<uint64_t>& hashes);

}  // namespace contraflow::data
