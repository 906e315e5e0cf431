#include "contraflow/networks/sort_layer.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"

namespace contraflow {

SortLayer::SortLayer(Activation kind, int64_t features) : kind_(kind), features_(features) {
  if (kind == Activation::kMaxMin && features % 2 != 0) {
    fail<ConfigError>("SortLayer", "features", "an even number for maxmin",
                      std::to_string(features), "Use an even width, or fullsort.");
  }
}

void SortLayer::bind(Tape& /*tape*/, const at::Tensor& /*condition*/) const {}

// Source index of each output, of the sizes of a.
at::Tensor SortLayer::order(const at::Tensor& a) const {
  if (kind_ == Activation::kFullSort)
    return a.argsort(/*stable=*/true, /*dim=*/-1, /*descending=*/false);
  const at::Tensor pairs = a.unflatten(-1, {features_ / 2, 2});
  const at::Tensor swap = (pairs.select(-1, 0) < pairs.select(-1, 1)).to(at::kLong);
  const at::Tensor first = at::arange(0, features_, 2, swap.options());
  return at::stack({first + swap, first + 1 - swap}, -1).flatten(-2);
}

at::Tensor SortLayer::value(const Tape& /*tape*/, const at::Tensor& a) const {
  return a.gather(-1, order(a));
}

at::Tensor SortLayer::record(Tape& tape, const at::Tensor& a) const {
  tape.slope = order(a);
  return a.gather(-1, tape.slope);
}

at::Tensor SortLayer::jvp(Tape& tape, const at::Tensor& t, bool /*keep*/) const {
  return t.gather(-1, tape.slope.unsqueeze(0).expand_as(t));
}

at::Tensor SortLayer::vjp(const Tape& tape, const at::Tensor& u) const {
  return at::zeros_like(u).scatter(-1, tape.slope.unsqueeze(0).expand_as(u), u);
}

Dual SortLayer::dual_reverse(const Tape& tape, const Dual& top, GradientMap& /*gradients*/,
                             at::Tensor& /*condition_gradient*/) const {
  Dual down;
  if (top.value.defined()) down.value = vjp(tape, top.value.unsqueeze(0)).squeeze(0);
  if (top.tangent.defined()) down.tangent = vjp(tape, top.tangent);
  return down;
}

}  // namespace contraflow
