#include "contraflow/distributions/compare.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

#include "contraflow/core/check.h"
#include "contraflow/core/error.h"

namespace contraflow {
namespace {

constexpr const char* kWhere = "paired_log_prob";

struct Scored {
  at::Tensor log_prob;  // [B], float64
  at::Tensor bias;      // [B]
};

// Two flows on the same rows may take them in different types: only a data side takes all.
at::Tensor own_type(const Flow& flow, const at::Tensor& x) {
  const at::Tensor own = first_floating_tensor(flow);
  const bool any = !x.defined() || !own.defined() || flow.transform()->data_side();
  return any ? x : x.to(own.scalar_type());
}

Scored score(const Flow& flow, const at::Tensor& x, Context context) {
  context.condition = flow.conditional() ? own_type(flow, context.condition) : at::Tensor();
  const TransformOutput out = flow.transform()->forward(own_type(flow, x), context);
  Scored scored;
  scored.log_prob = flow.base()->log_prob(out.value).to(at::kDouble) + out.log_det.to(at::kDouble);
  scored.bias = out.log_det_bias_bound.defined() ? out.log_det_bias_bound.to(at::kDouble)
                                                 : at::zeros_like(scored.log_prob);
  return scored;
}

// a - b, where two rows outside of both supports do not differ.
at::Tensor gap(const at::Tensor& a, const at::Tensor& b) {
  return at::where(a.eq(b), at::zeros_like(a), a - b);
}

// Deviations from the first replicate: equal ones give an error of exactly 0.
at::Tensor error_of_mean(const at::Tensor& values_rb) {
  const at::Tensor deviation = gap(values_rb, values_rb[0].expand_as(values_rb));
  return deviation.std(0) / std::sqrt(static_cast<double>(values_rb.size(0)));
}

void check(const Flow& a, const Flow& b, const at::Tensor& x, int64_t replicates) {
  if (replicates < 1) {
    fail<DomainError>(kWhere, "replicates", ">= 1", std::to_string(replicates),
                      "Ask for 2 or more to get an error.");
  }
  if (a.event_shape() != b.event_shape()) {
    fail<ShapeError>(kWhere, "b", c10::str("events of shape ", at::IntArrayRef(a.event_shape())),
                     c10::str(at::IntArrayRef(b.event_shape())),
                     "Compare models of the same columns.");
  }
  check_event(kWhere, "x", x, a.event_shape());
  check_not_empty(kWhere, "x", x);
  check_floating(kWhere, "x", x);
  check_finite(kWhere, "x", x);
}

}  // namespace

PairedLogProb paired_log_prob(const Flow& a, const Flow& b, const at::Tensor& x,
                              const Context& context, int64_t replicates, bool is_random) {
  check(a, b, x, replicates);
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> of_a, of_b, gaps;
  PairedLogProb out;
  out.replicates = replicates;
  for (int64_t k = 0; k < replicates; ++k) {
    const Context own = context.fork(static_cast<uint64_t>(k));
    const Scored one = score(a, x, own), other = score(b, x, own);
    of_a.push_back(one.log_prob);
    of_b.push_back(other.log_prob);
    gaps.push_back(gap(one.log_prob, other.log_prob));
    const at::Tensor bias = (one.bias + other.bias) / static_cast<double>(replicates);
    out.bias_bound = out.bias_bound.defined() ? out.bias_bound + bias : bias;
  }
  const at::Tensor values = at::stack(gaps);
  out.a = at::stack(of_a).mean(0);
  out.b = at::stack(of_b).mean(0);
  out.difference = values.mean(0);
  if (replicates > 1) {
    out.standard_error = error_of_mean(values);
  } else {
    const double unknown = is_random ? std::numeric_limits<double>::quiet_NaN() : 0.0;
    out.standard_error = at::full_like(out.difference, unknown);
  }
  return out;
}

}  // namespace contraflow
