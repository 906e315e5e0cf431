#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace contraflow::data {

/// One number per row of [N, D] (float64) that depends on its values and on `seed` alone: equal rows
/// have equal ones. 0 and -0 are equal.
std::vector<uint64_t> hash_rows(const at::Tensor& rows, uint64_t seed);

/// The same of bytes [N, ...] (uint8), other numbers than hash_rows() gives. Cost: one pass, eight bytes
/// a step, without a copy of contiguous rows.
std::vector<uint64_t> hash_byte_rows(const at::Tensor& rows, uint64_t seed);

/// Makes each number depend on an integer of its own too: values [N] (int64).
void mix_in(std::vector<uint64_t>& hashes, const at::Tensor& values);

/// Changes the numbers of equal rows, so that each copy of a row has one of its own: the first, the
/// second, ...
void tell_copies_apart(std::vector<uint64_t>& hashes);

}  // namespace contraflow::data
