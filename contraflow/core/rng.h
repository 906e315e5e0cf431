#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "contraflow/core/export.h"

namespace contraflow {

/// Counter-based random numbers. An Rng is a value of 16 bytes without state: the number at
/// (key, row, column) is a pure function, so results do not depend on threads, batch split or call
/// order.
///
/// Streams    branch with fork(): `Rng(seed).fork("train").fork(step).fork(block)`.
/// Rows       row r of a draw belongs to sample `first_row() + r`; rows_from() makes a part of a
///            batch draw what the whole batch would have drawn for it.
/// Threads    immutable; share freely.
/// Source     Philox 4x32-10: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
class CF_EXPORT Rng {
 public:
  explicit Rng(uint64_t seed = 0) : key_(seed) {}

  /// An independent stream named by `tag`.
  [[nodiscard]] Rng fork(uint64_t tag) const;
  [[nodiscard]] Rng fork(std::string_view tag) const;
  /// The same stream, whose first row is sample `row` of the whole.
  [[nodiscard]] Rng rows_from(int64_t row) const;

  uint64_t key() const { return key_; }
  int64_t first_row() const { return first_row_; }

  /// Four 32-bit words at (row, block of columns).
  std::array<uint32_t, 4> words(int64_t row, uint64_t block) const;
  /// Uniform in (0, 1), 53 bits, at (row, column). Rows are absolute here.
  double uniform_at(int64_t row, int64_t column) const;

  /// Tensors [rows, ...] of `options`' dtype (drawn in float64, then rounded; uniform stays in the
  /// open interval (0, 1) in both dtypes).
  at::Tensor uniform(at::IntArrayRef sizes, const at::TensorOptions& options) const;
  at::Tensor normal(at::IntArrayRef sizes, const at::TensorOptions& options) const;
  /// Signs -1 or +1 with probability one half.
  at::Tensor rademacher(at::IntArrayRef sizes, const at::TensorOptions& options) const;
  /// A permutation of 0 .. count-1 (int64).
  at::Tensor permutation(int64_t count) const;

 private:
  uint64_t key_;
  int64_t first_row_ = 0;
};

}  // namespace contraflow
