#include "contraflow/log_det/adaptive.h"

#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/log_det/product_rounding.h"
#include "contraflow/log_det/ratio_slopes.h"
#include "contraflow/log_det/series.h"

namespace contraflow {
namespace {

// What the series of some rows has come to.
struct Sums {
  at::Tensor value;   // [p, n]
  at::Tensor bound;   // [n]
  at::Tensor u;       // [p, n, d]; undefined without a gradient
  at::Tensor slopes;  // [2, n], by the form's ratios; undefined unless it is learned
};

// The rows that are still computed: those in play, and for a while those that are done, frozen.
class ActiveRows {
 public:
  ActiveRows(const BlockForm& form, const NetPoint& point, const LipschitzBound& kappa,
             const at::Tensor& v, bool with_gradient)
      : form_(form),
        whole_(point),
        kappa_(kappa),
        v_(v),
        vector_(v),
        rounding_(point, kappa.constant, v) {
    rows_ = at::arange(v.size(1), v.options().dtype(at::kLong));
    in_play_ = at::ones({v.size(1)}, v.options().dtype(at::kBool));
    sums_.value = at::zeros({v.size(0), v.size(1)}, v.options());
    sums_.bound = at::zeros({v.size(1)}, v.options());
    if (with_gradient) sums_.u = at::zeros_like(v);
    if (with_gradient && form.learned) sums_.slopes = zero_ratio_slopes(v);
    const auto copy = [](const at::Tensor& t) { return t.defined() ? t.clone() : t; };
    result_ = {sums_.value.clone(), sums_.bound.clone(), copy(sums_.u), copy(sums_.slopes)};
  }

  // Adds the term of J^power to the rows in play; those whose tail is then small enough are done.
  void add(int power, double tolerance) {
    const double coefficient = series_coefficient(form_, power);
    const at::Tensor playing = in_play_.to(v_.scalar_type());
    const at::Tensor weight = playing * coefficient;
    advance(power - 1);
    if (sums_.u.defined()) sums_.u.addcmul_(vector_, weight.unsqueeze(-1), power);
    advance(power);
    const at::Tensor traces = (vector_ * v_).sum(-1);
    sums_.value.addcmul_(traces, weight);
    if (sums_.slopes.defined())
      add_ratio_slopes(form_, power, traces.mean(0) * playing, sums_.slopes);
    rounding_.add(std::abs(coefficient));
    const at::Tensor tail = tail_bound(form_, v_, vector_, power, kappa_);
    const at::Tensor bound =
        rounding_.added_to(tail, tail_bound_factor(form_, power, kappa_.constant));
    sums_.bound = at::where(in_play_, bound, sums_.bound);
    in_play_ = in_play_.logical_and(tail.gt(tolerance));
    retire(in_play_.sum().item<int64_t>());
  }

  bool any() const { return rows_.size(0) > 0; }

  // In the order of the batch, whoever is still in play.
  Sums take() {
    store(at::arange(rows_.size(0), rows_.options()));
    return result_;
  }

 private:
  void advance(int power) {
    const NetPoint& point = own_ ? *own_ : whole_;
    for (; power_ < power; ++power_) {
      rounding_.advance(vector_);
      vector_ = point.vjp(vector_);
    }
  }

  // A copy of the tape costs about what a product does: it has to pay for itself.
  void retire(int64_t count) {
    constexpr int64_t kLeastPart = 8;
    const int64_t done = rows_.size(0) - count;
    if (done == 0 || (count > 0 && done * kLeastPart < rows_.size(0))) return;
    store(in_play_.logical_not().nonzero().flatten());
    const at::Tensor kept = in_play_.nonzero().flatten();
    rows_ = rows_.index_select(0, kept);
    in_play_ = in_play_.index_select(0, kept);
    v_ = v_.index_select(1, kept);
    vector_ = vector_.index_select(1, kept);
    rounding_.select(kept);
    sums_.value = sums_.value.index_select(1, kept);
    sums_.bound = sums_.bound.index_select(0, kept);
    if (sums_.u.defined()) sums_.u = sums_.u.index_select(1, kept);
    if (sums_.slopes.defined()) sums_.slopes = sums_.slopes.index_select(1, kept);
    if (count > 0) own_ = whole_.select(rows_);
  }

  void store(const at::Tensor& which) {
    const at::Tensor to = rows_.index_select(0, which);
    result_.value.index_copy_(1, to, sums_.value.index_select(1, which));
    result_.bound.index_copy_(0, to, sums_.bound.index_select(0, which));
    if (sums_.u.defined()) result_.u.index_copy_(1, to, sums_.u.index_select(1, which));
    if (sums_.slopes.defined())
      result_.slopes.index_copy_(1, to, sums_.slopes.index_select(1, which));
  }

  BlockForm form_;
  const NetPoint& whole_;
  std::unique_ptr<NetPoint> own_;
  LipschitzBound kappa_;
  at::Tensor v_, vector_;  // [p, n, d]: the probes and (J^T)^power v
  ProductRounding rounding_;
  at::Tensor rows_, in_play_;  // [n]
  Sums sums_, result_;
  int power_ = 0;
};

}  // namespace

LogDetEstimate adaptive_log_det(const BlockForm& form, const NetPoint& point,
                                const LipschitzBound& kappa, const AdaptiveSeries& options,
                                const Rng& rng, bool with_gradient) {
  const at::Tensor& like = point.value();
  const at::Tensor v =
      draw_probes(options, like.size(0), like.size(1), like.options(), rng.fork("probes"));
  ActiveRows rows(form, point, kappa, v, with_gradient);
  for (int64_t j = 1; rows.any() && j <= options.max_terms; ++j)
    rows.add(power_of_term(form, j), options.tolerance);
  const Sums sums = rows.take();
  LogDetEstimate out;
  out.value = log_constant(form, like) + sums.value.mean(0);
  out.standard_error = probe_standard_error(sums.value, options, like.size(1));
  out.bias_bound = sums.bound;
  if (with_gradient) {
    out.u = sums.u / static_cast<double>(v.size(0));
    out.ratios = sums.slopes;
    out.t = v;
  }
  return out;
}

}  // namespace contraflow
