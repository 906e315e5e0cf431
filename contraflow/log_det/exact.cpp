#include "contraflow/log_det/exact.h"

#include <ATen/ATen.h>

#include <cmath>

namespace contraflow {
namespace {

// p I + q J, of which determinant and inverse are wanted.
at::Tensor shifted(const at::Tensor& jac, double p, double q) {
  at::Tensor m = jac * q;
  m.diagonal(0, 1, 2).add_(p);
  return m;
}

at::Tensor entry(const at::Tensor& m, int64_t r, int64_t c) { return m.select(1, r).select(1, c); }

at::Tensor determinant_2x2(const at::Tensor& m) {
  return entry(m, 0, 0) * entry(m, 1, 1) - entry(m, 0, 1) * entry(m, 1, 0);
}

at::Tensor log_abs_det(const at::Tensor& m) {
  if (m.size(1) == 1) return m.reshape({-1}).abs().log();
  if (m.size(1) == 2) return determinant_2x2(m).abs().log();
  return std::get<1>(at::linalg_slogdet(m));
}

// tr(p (p I + q J)^-1 J): the derivative of log|det(p I + q J)| by q / p.
at::Tensor ratio_slope(const at::Tensor& inverse, double p, const at::Tensor& jac) {
  return (inverse * jac.transpose(1, 2)).sum(at::IntArrayRef{1, 2}) * p;
}

at::Tensor inverse_of(const at::Tensor& m) {
  if (m.size(1) == 1) return m.reciprocal();
  if (m.size(1) > 2) return std::get<0>(at::linalg_inv_ex(m));
  const at::Tensor adjugate =
      at::stack({entry(m, 1, 1), -entry(m, 0, 1), -entry(m, 1, 0), entry(m, 0, 0)}, 1);
  return (adjugate / determinant_2x2(m).unsqueeze(1)).view({-1, 2, 2});
}

}  // namespace

LogDetEstimate exact_log_det(const BlockForm& form, const NetPoint& point, bool with_gradient) {
  const at::Tensor jac = jacobian(point);
  const int64_t d = jac.size(1);
  LogDetEstimate out;
  out.jac = jac;
  at::Tensor weights;  // N = D (C + D J)^-1 - B (A + B J)^-1:  d log_det = tr(N dJ)
  const bool slopes = with_gradient && form.learned;
  if (slopes) out.ratios = at::empty({2, jac.size(0)}, jac.options());
  const auto add = [&](double p, double q, double sign, int64_t ratio) {
    if (q == 0) {
      if (slopes) out.ratios[ratio].copy_(jac.diagonal(0, 1, 2).sum(1) * sign);
      const at::Tensor constant = at::full(
          {jac.size(0)}, sign * static_cast<double>(d) * std::log(std::abs(p)), jac.options());
      out.value = out.value.defined() ? out.value + constant : constant;
      return;
    }
    const at::Tensor m = shifted(jac, p, q);
    const at::Tensor term = log_abs_det(m) * sign;
    out.value = out.value.defined() ? out.value + term : term;
    if (!with_gradient) return;
    const at::Tensor inverse = inverse_of(m);
    if (slopes) out.ratios[ratio].copy_(ratio_slope(inverse, p, jac) * sign);
    const at::Tensor n = inverse * (sign * q);
    weights = weights.defined() ? weights + n : n;
  };
  add(form.c, form.d, 1.0, 1);
  add(form.a, form.b, -1.0, 0);
  if (!with_gradient) return out;
  // tr(N dJ) = sum_p (row p of N) . dJ e_p
  if (!weights.defined()) weights = at::zeros_like(jac);
  out.u = weights.transpose(0, 1).contiguous();
  out.t = at::eye(d, jac.options()).unsqueeze(1).expand({d, jac.size(0), d});
  return out;
}

at::Tensor solve_transposed(const at::Tensor& jac, double p, double q, const at::Tensor& rhs) {
  const at::Tensor m = shifted(jac, p, q).transpose(1, 2);
  if (m.size(1) <= 2) return at::bmm(inverse_of(m), rhs.unsqueeze(2)).squeeze(2);
  return std::get<0>(at::linalg_solve_ex(m, rhs));
}

}  // namespace contraflow
