#include "contraflow/solvers/anderson.h"

#include <ATen/ATen.h>

namespace contraflow {
namespace {

// Relative Tikhonov term of the normal equations: keeps nearly parallel differences harmless.
double regularisation(at::ScalarType type) { return type == at::kDouble ? 1e-14 : 1e-7; }

// gamma minimising |r - sum_j gamma_j dr_j| for each row, [n, m].
at::Tensor least_squares(const at::Tensor& dr_nmd, const at::Tensor& r_nd) {
  at::Tensor gram = at::bmm(dr_nmd, dr_nmd.transpose(1, 2));
  const at::Tensor trace = gram.diagonal(0, 1, 2).sum(1);
  const at::Tensor ridge = (trace * regularisation(r_nd.scalar_type())).clamp_min(1e-300);
  const at::Tensor right = at::bmm(dr_nmd, r_nd.unsqueeze(2)).squeeze(2);
  gram.diagonal(0, 1, 2).add_(at::where(trace > 0, ridge, at::ones_like(ridge)).unsqueeze(1));
  if (gram.size(1) == 1) return right / gram.squeeze(2);
  if (gram.size(1) == 2) {  // closed form: LAPACK's overhead dominates tiny systems
    const at::Tensor a = gram.select(1, 0).select(1, 0), b = gram.select(1, 0).select(1, 1);
    const at::Tensor c = gram.select(1, 1).select(1, 1);
    const at::Tensor p = right.select(1, 0), q = right.select(1, 1);
    return at::stack({c * p - b * q, a * q - b * p}, 1) / (a * c - b * b).unsqueeze(1);
  }
  return std::get<0>(at::linalg_solve_ex(gram, right));
}

}  // namespace

at::Tensor AndersonHistory::propose(const at::Tensor& w, const at::Tensor& f) {
  const at::Tensor r = f - w;
  if (last_w_.defined()) {
    dw_.push_back(w - last_w_);
    dr_.push_back(r - last_r_);
    if (static_cast<int64_t>(dw_.size()) > memory_) {
      dw_.erase(dw_.begin());
      dr_.erase(dr_.begin());
    }
  }
  last_w_ = w;
  last_r_ = r;
  if (dw_.empty()) return f;
  const at::Tensor dr = at::stack(dr_, 1);
  const at::Tensor gamma = least_squares(dr, r);
  const at::Tensor step = at::bmm(gamma.unsqueeze(1), at::stack(dw_, 1) + dr).squeeze(1);
  // A singular system leaves a non-finite step: fall back to the plain one.
  return f - at::where(at::isfinite(step), step, at::zeros({}, step.options()));
}

void AndersonHistory::select(const at::Tensor& rows) {
  const auto pick = [&](at::Tensor& t) { t = t.index_select(0, rows); };
  if (!last_w_.defined()) return;
  pick(last_w_);
  pick(last_r_);
  for (at::Tensor& t : dw_) pick(t);
  for (at::Tensor& t : dr_) pick(t);
}

void AndersonHistory::forget(const at::Tensor& reset) {
  const at::Tensor keep = reset.logical_not().unsqueeze(1);
  for (at::Tensor& t : dw_) t = t * keep;
  for (at::Tensor& t : dr_) t = t * keep;
}

}  // namespace contraflow
