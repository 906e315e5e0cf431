#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace contraflow {

/// History of one batch of fixed-point iterations, and the step that minimises the linearised
/// residual over it, each row on its own.
/// Shapes   w, f: [n, d]. Memory: 2 m [n, d] tensors.
class AndersonHistory {
 public:
  explicit AndersonHistory(int64_t memory) : memory_(memory) {}

  /// The next trial point from the current point `w` and `f` = f(w).
  at::Tensor propose(const at::Tensor& w, const at::Tensor& f);
  /// Keeps only the given rows.
  void select(const at::Tensor& rows);
  /// Where `reset` [n] (bool) holds, past steps are forgotten.
  void forget(const at::Tensor& reset);

 private:
  int64_t memory_;
  at::Tensor last_w_, last_r_;            // previous point and residual
  std::vector<at::Tensor> dw_, dr_;       // differences, oldest first
};

}  // namespace contraflow
