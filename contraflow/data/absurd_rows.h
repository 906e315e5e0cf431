#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace contraflow::data {

/// A row that is so far out, and so alone there, that it is a slip: more than a thousand deviations
/// from the center, and more than a hundred times as far as any row that is none. Heavy tails (Cauchy)
/// reach as far, but not alone.
struct AbsurdRow {
  int64_t row = 0;
  int64_t column = 0;
  double deviations = 0.0;
};

/// The mask [N] of absurd rows of z [N, D], standardised, and the worst of them.
struct AbsurdRows {
  at::Tensor mask;
  std::optional<AbsurdRow> worst;
};

AbsurdRows find_absurd(const at::Tensor& z);

}  // namespace contraflow::data
