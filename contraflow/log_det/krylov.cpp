#include "contraflow/log_det/krylov.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>

#include "contraflow/core/error.h"
#include "contraflow/core/parallel.h"
#include "contraflow/log_det/hessenberg_log.h"
#include "contraflow/log_det/series.h"

namespace contraflow {
namespace {

struct Basis {
  at::Tensor vectors;     // [m, p, b, d]: orthonormal for each probe and row, or zero after the end
  at::Tensor hessenberg;  // [p, b, m + 1, m], float64 on the CPU
};

// Arnoldi's method with J^T. Where the space is invariant (up to rounding) the next vectors are 0,
// and with them the rest of H: functions of H have the corner entry of the smaller matrix.
Basis arnoldi(const NetPoint& point, const at::Tensor& v, int64_t m) {
  const int64_t p = v.size(0), b = v.size(1), d = v.size(2);
  Basis basis{at::empty({m, p, b, d}, v.options()), {}};
  at::Tensor h = at::zeros({m + 1, m, p, b}, v.options());
  at::Tensor next = v / row_norm(v, 2).unsqueeze(-1);
  for (int64_t k = 0; k < m; ++k) {
    basis.vectors[k].copy_(next);
    const at::Tensor known = basis.vectors.narrow(0, 0, k + 1);
    at::Tensor w = point.vjp(next);
    const at::Tensor size = row_norm(w, 2);
    for (int pass = 0; pass < 2; ++pass) {  // the second takes what rounding left of the first
      const at::Tensor along = (known * w).sum(-1);
      w = w - (along.unsqueeze(-1) * known).sum(0);
      h.narrow(0, 0, k + 1).select(1, k).add_(along);
    }
    const at::Tensor rest = row_norm(w, 2);
    const at::Tensor ended = rest.le(size * (20 * point.unit_roundoff()));
    h[k + 1][k].copy_(rest.masked_fill(ended, 0));
    next = (w / rest.unsqueeze(-1)).masked_fill(ended.unsqueeze(-1), 0);
  }
  basis.hessenberg = h.permute({2, 3, 0, 1}).to(at::kCPU, at::kDouble).contiguous();
  return basis;
}

// What the small matrices give, for unit probes.
struct Corner {
  at::Tensor value;   // [p, b], float64
  at::Tensor bound;   // [p, b]
  at::Tensor weight;  // [p, b, m]: of the basis in u; undefined without a gradient
  at::Tensor slopes;  // [p, b, 2]: by B / A and D / C; undefined without a gradient
};

class CornerRule {
 public:
  CornerRule(const BlockForm& form, double kappa)
      : below_ratio_(form.b / form.a), above_ratio_(form.d / form.c) {
    if (form.d != 0) above_.emplace(form.d / form.c, kappa);
    if (form.b != 0) below_.emplace(form.b / form.a, kappa);
  }

  void add(const double* h, int64_t m, double& value, double& bound, double* weight,
           double* slopes) const {
    const auto one = [&](const std::optional<HessenbergLog>& log, double ratio, double sign,
                         int which) {
      if (!log) {  // the ratio is 0: log(I + ratio H) has the slope H there
        if (slopes != nullptr) slopes[which] = sign * h[0];
        return;
      }
      const HessenbergLog::Result result = log->evaluate(h, m);
      value += sign * result.value;
      bound += result.bound;
      if (weight == nullptr) return;
      const std::vector<double> part = log->derivative(h, m);
      double corner = 0;  // e_1 . H (I + ratio H)^-1 e_1 times the ratio
      for (int64_t k = 0; k < m; ++k) {
        weight[k] += sign * part[k];
        corner += h[k] * part[k];
      }
      slopes[which] = sign * corner / ratio;
    };
    one(above_, above_ratio_, 1.0, 1);
    one(below_, below_ratio_, -1.0, 0);
  }

 private:
  double below_ratio_, above_ratio_;
  std::optional<HessenbergLog> above_, below_;
};

Corner corners(const BlockForm& form, double kappa, const at::Tensor& hessenberg,
               bool with_gradient) {
  const int64_t p = hessenberg.size(0), b = hessenberg.size(1), m = hessenberg.size(3);
  Corner out{at::zeros({p, b}, at::kDouble), at::zeros({p, b}, at::kDouble), {}, {}};
  if (with_gradient) {
    out.weight = at::zeros({p, b, m}, at::kDouble);
    out.slopes = at::zeros({p, b, 2}, at::kDouble);
  }
  const CornerRule rule(form, kappa);
  const auto* h = hessenberg.const_data_ptr<double>();
  auto* value = out.value.data_ptr<double>();
  auto* bound = out.bound.data_ptr<double>();
  auto* weight = with_gradient ? out.weight.data_ptr<double>() : nullptr;
  auto* slopes = with_gradient ? out.slopes.data_ptr<double>() : nullptr;
  constexpr int64_t kGrain = 16;
  parallel_for(0, p * b, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      rule.add(h + k * (m + 1) * m, m, value[k], bound[k],
               weight == nullptr ? nullptr : weight + k * m,
               slopes == nullptr ? nullptr : slopes + k * 2);
    }
  });
  return out;
}

}  // namespace

LogDetEstimate krylov_log_det(const BlockForm& form, const NetPoint& point,
                              const LipschitzBound& kappa, const KrylovQuadrature& options,
                              const Rng& rng, bool with_gradient) {
  if (kappa.order != 2.0) {
    fail<ConfigError>("krylov", "net", "a network bounded in the Euclidean norm",
                      c10::str("one bounded in the norm of order ", kappa.order),
                      "Use norm_order 'two', or the estimator exact, adaptive or roulette.");
  }
  const at::Tensor& like = point.value();
  const int64_t d = like.size(1);
  const at::Tensor v = draw_probes(options, like.size(0), d, like.options(), rng.fork("probes"));
  const Basis basis = arnoldi(point, v, std::min(options.steps, d));
  const Corner corner = corners(form, kappa.constant, basis.hessenberg, with_gradient);
  const at::Tensor length = row_norm(v, 2);
  const at::Tensor squares = length.square();
  const at::Tensor values = squares * corner.value.to(v.options());
  LogDetEstimate out;
  out.value = log_constant(form, like) + values.mean(0);
  out.standard_error = probe_standard_error(values, options, d);
  out.bias_bound = (squares * corner.bound.to(v.options())).mean(0);
  if (!with_gradient) return out;
  const at::Tensor weight = corner.weight.permute({2, 0, 1}).to(v.options()) * length;
  out.u = (weight.unsqueeze(-1) * basis.vectors).sum(0) / static_cast<double>(v.size(0));
  out.t = v;
  if (form.learned)
    out.ratios = (corner.slopes.permute({2, 0, 1}).to(v.options()) * squares).mean(1);
  return out;
}

}  // namespace contraflow
