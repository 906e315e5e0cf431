#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <vector>

namespace contraflow::testing {

/// Jacobians [B, out, in] of a map whose row i depends on row i alone.
inline at::Tensor batch_jacobian(const std::function<at::Tensor(const at::Tensor&)>& map,
                                 const at::Tensor& x) {
  const at::Tensor input = x.detach().clone().requires_grad_(true);
  const at::Tensor value = map(input).flatten(1);
  std::vector<at::Tensor> rows;
  for (int64_t j = 0; j < value.size(1); ++j) {
    const auto grad = torch::autograd::grad({value.select(1, j).sum()}, {input}, {},
                                            /*retain_graph=*/true);
    rows.push_back(grad[0].flatten(1));
  }
  return at::stack(rows, 1).detach();
}

/// Central difference of loss() along `direction` in `at`, which is changed in place and restored.
/// Error: step^2 / 6 times the third derivative, plus the rounding of the loss over the step.
inline double central_difference(const std::function<double()>& loss, const at::Tensor& at_,
                                 const at::Tensor& direction, double step = 1e-5) {
  const at::NoGradGuard no_grad;
  const at::Tensor origin = at_.detach().clone();
  at_.copy_(origin + step * direction);
  const double above = loss();
  at_.copy_(origin - step * direction);
  const double below = loss();
  at_.copy_(origin);
  return (above - below) / (2.0 * step);
}

}  // namespace contraflow::testing
