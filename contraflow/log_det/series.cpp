#include "contraflow/log_det/series.h"

#include <ATen/ATen.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "contraflow/log_det/hadamard.h"
#include "contraflow/log_det/product_rounding.h"
#include "contraflow/log_det/ratio_slopes.h"

namespace contraflow {
namespace {

// The chain (K^T)^k v, K = J - shift I, over a batch whose rows drop out from the end, and the sums
// it feeds. `form` is the shifted one.
class Chain {
 public:
  Chain(const BlockForm& form, double shift, const NetPoint& point, double kappa, at::Tensor v,
        bool with_gradient)
      : form_(form),
        shift_(shift),
        point_(point),
        v_(std::move(v)),
        vector_(v_),
        value_(at::zeros({v_.size(0), v_.size(1)}, v_.options())),
        rounding_(point, kappa + std::abs(shift), v_) {
    if (!with_gradient) return;
    u_ = at::zeros_like(v_);
    if (form.learned) slopes_ = zero_ratio_slopes(v_);
  }

  // Adds the term of K^power for the first `rows` rows, each times `weight`. Powers only grow, rows
  // only shrink.
  void add(int power, int64_t rows, double weight) {
    advance(power - 1, rows);
    const double coefficient = series_coefficient(form_, power) * weight;
    // vector_ is (K^T)^(power-1) v: the gradient's weight of this term.
    if (u_.defined()) u_.narrow(1, 0, rows).add_(vector_, coefficient * power);
    advance(power, rows);
    const at::Tensor traces = (vector_ * v_.narrow(1, 0, rows)).sum(-1);
    value_.narrow(1, 0, rows).add_(traces, coefficient);
    rounding_.add(std::abs(coefficient));
    if (slopes_.defined()) add_ratio_slopes(form_, power, traces.mean(0) * weight, slopes_);
  }

  at::Tensor value() const { return value_.mean(0); }
  const at::Tensor& probe_values() const { return value_; }  // [p, b]
  const at::Tensor& vector() const { return vector_; }
  const at::Tensor& slopes() const { return slopes_; }  // [2, b], of the shifted form
  const ProductRounding& rounding() const { return rounding_; }
  // The estimate averages over probes; so do the gradient's probes.
  at::Tensor u() const { return u_.defined() ? u_ / static_cast<double>(v_.size(0)) : u_; }

 private:
  void advance(int power, int64_t rows) {
    if (rows < vector_.size(1)) {
      vector_ = vector_.narrow(1, 0, rows);
      narrowed_ = point_.narrow(rows);
      rounding_.narrow(rows);
    }
    const NetPoint& point = narrowed_ ? *narrowed_ : point_;
    for (; power_ < power; ++power_) {
      rounding_.advance(vector_);
      vector_ = shifted_vjp(point, vector_, shift_);
    }
  }

  BlockForm form_;
  double shift_;
  const NetPoint& point_;
  std::unique_ptr<NetPoint> narrowed_;
  at::Tensor v_, vector_, value_, u_, slopes_;
  ProductRounding rounding_;
  int power_ = 0;
};

}  // namespace

at::Tensor shifted_vjp(const NetPoint& point, const at::Tensor& u, double shift) {
  const at::Tensor out = point.vjp(u);
  return shift == 0 ? out : at::sub(out, u, shift);
}

at::Tensor draw_probes(ProbeKind kind, int64_t probes, int64_t batch, int64_t dim,
                       const at::TensorOptions& options, const Rng& rng) {
  if (kind == ProbeKind::kRademacher) {
    return hadamard_probes(probes, batch, dim, options, rng).transpose(0, 1).contiguous();
  }
  // Rows are samples, so that a split batch draws the same probes.
  at::Tensor v = rng.normal(std::array<int64_t, 3>{batch, probes, dim}, options);
  if (kind == ProbeKind::kSphere) {
    v = v * (std::sqrt(static_cast<double>(dim)) /
             at::linalg_vector_norm(v, 2, at::IntArrayRef{-1}, true));
  }
  return v.transpose(0, 1).contiguous();
}

at::Tensor draw_independent_probes(ProbeKind kind, int64_t probes, int64_t batch, int64_t dim,
                                   const at::TensorOptions& options, const Rng& rng) {
  std::vector<at::Tensor> drawn;
  for (int64_t p = 0; p < probes; ++p)
    drawn.push_back(draw_probes(kind, 1, batch, dim, options, rng.fork(static_cast<uint64_t>(p))));
  return at::cat(drawn);
}

at::Tensor log_constant(const BlockForm& form, const at::Tensor& like) {
  const double value = static_cast<double>(like.size(1)) * std::log(std::abs(form.c / form.a));
  return at::full({like.size(0)}, value, like.options());
}

// The terms beyond are r^k |v . J^k v| / k for k = power + step, power + 2 step, ..., step 2 where
// the even powers cancel.
double tail_bound_factor(const BlockForm& form, int power, double kappa) {
  const int step = power_of_term(form, 2) - power_of_term(form, 1);
  const double ratios[] = {std::abs(form.d / form.c), std::abs(form.b / form.a)};
  double factor = 0;
  for (const double r : ratios) {
    const double rho = std::pow(r * kappa, step);
    factor += std::pow(r, power) * rho / (1 - rho) / (power + step);
  }
  return factor;
}

at::Tensor spread_error(const at::Tensor& values_pb) {
  const int64_t count = values_pb.size(0);
  if (count < 2) return {};
  return values_pb.std(0) / std::sqrt(static_cast<double>(count));
}

at::Tensor probe_standard_error(const at::Tensor& values_pb, ProbeKind kind, int64_t dim) {
  const int64_t probes = values_pb.size(0);
  const auto order = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(dim)));
  const bool whole = kind == ProbeKind::kRademacher && probes % order == 0;
  return probes > 1 && whole ? at::zeros_like(values_pb[0]) : spread_error(values_pb);
}

at::Tensor tail_bound(const BlockForm& form, const at::Tensor& v, const at::Tensor& vector,
                      int power, const LipschitzBound& kappa) {
  // v . J^(m+n) v = (J^m v) . (J^T)^n v, bounded in a norm and its dual
  const at::Tensor sizes = row_norm(v, kappa.order) * row_norm(vector, dual_order(kappa.order));
  return sizes.mean(0) * tail_bound_factor(form, power, kappa.constant);
}

LogDetEstimate truncated_log_det(const BlockForm& form, const NetPoint& point,
                                 const LipschitzBound& kappa, const TruncatedSeries& options,
                                 const Rng& rng, bool with_gradient) {
  const at::Tensor& like = point.value();
  const at::Tensor v =
      draw_probes(options, like.size(0), like.size(1), like.options(), rng.fork("probes"));
  Chain chain(form, 0.0, point, kappa.constant, v, with_gradient);
  for (int64_t j = 1; j <= options.terms; ++j) chain.add(power_of_term(form, j), like.size(0), 1.0);
  LogDetEstimate out;
  out.value = log_constant(form, like) + chain.value();
  out.standard_error = probe_standard_error(chain.probe_values(), options, like.size(1));
  const int last = power_of_term(form, options.terms);
  out.bias_bound = chain.rounding().added_to(tail_bound(form, v, chain.vector(), last, kappa),
                                             tail_bound_factor(form, last, kappa.constant));
  out.u = chain.u();
  out.ratios = chain.slopes();
  if (with_gradient) out.t = v;
  return out;
}

LogDetEstimate roulette_log_det(const BlockForm& form, const NetPoint& point, double kappa,
                                const RussianRoulette& options, const TermLaw& law, const Rng& rng,
                                bool with_gradient) {
  const BlockForm shifted = form.shifted(law.shift);
  const at::Tensor& like = point.value();
  const int64_t b = like.size(0);
  const at::Tensor counts = draw_term_counts(law.survival, b, rng.fork("roulette"));
  // Rows with the most terms come first, so that those still in play are a prefix.
  const at::Tensor order = counts.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
  const at::Tensor sorted = counts.index_select(0, order);
  const at::Tensor rows = order.to(like.device());
  const at::Tensor v = draw_probes(options.probe, options.probes, b, like.size(1), like.options(),
                                   rng.fork("probes"))
                           .index_select(1, rows);
  const std::unique_ptr<NetPoint> permuted = point.select(rows);
  Chain chain(shifted, law.shift, *permuted, kappa, v, with_gradient);
  const auto* n = sorted.data_ptr<int64_t>();
  int64_t active = b;
  for (int64_t j = 1;; ++j) {
    while (active > 0 && n[active - 1] < j) --active;
    if (active == 0) break;
    chain.add(power_of_term(shifted, j), active, 1.0 / law.survival[static_cast<size_t>(j - 1)]);
  }
  const at::Tensor back = rows.argsort();
  LogDetEstimate out;
  out.value = log_constant(shifted, like) + chain.value().index_select(0, back);
  const at::Tensor rounding = chain.rounding().sum();
  if (rounding.defined()) out.bias_bound = rounding.index_select(0, back);
  if (with_gradient) {
    out.u = chain.u().index_select(1, back);
    out.t = v.index_select(1, back);
    if (form.learned)
      out.ratios = unshifted_ratio_slopes(form, law.shift, like.size(1),
                                          chain.slopes().index_select(1, back));
  }
  return out;
}

}  // namespace contraflow
