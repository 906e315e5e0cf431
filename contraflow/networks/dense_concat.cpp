#include "contraflow/networks/dense_concat.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

namespace contraflow {
namespace {

at::Tensor inner_product(const at::Tensor& a, const at::Tensor& b) { return (a * b).sum(); }

}  // namespace

DenseConcat::DenseConcat(LayerPtr inner, bool learnable) : inner_(std::move(inner)) {
  register_module("inner", inner_);
  if (learnable) raw_ = register_parameter("raw_concatenation", at::zeros({2}));
}

DenseConcat::Weights DenseConcat::weights() const {
  if (!raw_.defined()) return {std::numbers::sqrt2 / 2, std::numbers::sqrt2 / 2};
  const at::Tensor e = at::softplus(raw_.detach().to(at::kCPU, at::kDouble));
  const double a = e[0].item<double>();
  const double b = e[1].item<double>();
  const double length = std::hypot(a, b);
  return {a / length, b / length};
}

double DenseConcat::lipschitz() const {
  const auto [skip, inner] = weights();
  return std::hypot(skip, inner * inner_->lipschitz());
}

void DenseConcat::bind(Tape& tape, const at::Tensor& condition) const {
  tape.children.resize(1);
  inner_->bind(tape.children[0], condition);
  const auto [skip, inner] = weights();
  tape.weight = at::tensor({skip, inner}, at::kDouble);
}

at::Tensor DenseConcat::value(const Tape& tape, const at::Tensor& a) const {
  const auto* c = tape.weight.data_ptr<double>();
  return at::cat({a * c[0], inner_->value(tape.children[0], a) * c[1]}, -1);
}

at::Tensor DenseConcat::record(Tape& tape, const at::Tensor& a) const {
  const auto* c = tape.weight.data_ptr<double>();
  at::Tensor f = inner_->record(tape.children[0], a);
  if (raw_.defined()) {
    tape.input = a;
    tape.value = f;
  }
  return at::cat({a * c[0], f * c[1]}, -1);
}

at::Tensor DenseConcat::jvp(Tape& tape, const at::Tensor& t, bool keep) const {
  const auto* c = tape.weight.data_ptr<double>();
  at::Tensor f = inner_->jvp(tape.children[0], t, keep);
  if (keep && raw_.defined()) {
    tape.tangent = t;
    tape.tangent_out = f;
  }
  return at::cat({t * c[0], f * c[1]}, -1);
}

at::Tensor DenseConcat::vjp(const Tape& tape, const at::Tensor& u) const {
  const auto* c = tape.weight.data_ptr<double>();
  const at::Tensor through =
      inner_->vjp(tape.children[0], u.narrow(-1, inputs(), inner_->outputs()) * c[1]);
  return at::add(through, u.narrow(-1, 0, inputs()), c[0]);
}

Dual DenseConcat::dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                               at::Tensor& condition_gradient) const {
  const auto* c = tape.weight.data_ptr<double>();
  const auto split = [&](const at::Tensor& t) {
    return std::pair{t.narrow(-1, 0, inputs()), t.narrow(-1, inputs(), inner_->outputs())};
  };
  Dual below;
  at::Tensor by_skip = at::zeros({}, tape.weight.options());
  at::Tensor by_inner = by_skip;
  if (top.value.defined()) {
    const auto [skip, inner] = split(top.value);
    below.value = inner * c[1];
    if (raw_.defined()) {
      by_skip = by_skip + inner_product(skip, tape.input);
      by_inner = by_inner + inner_product(inner, tape.value);
    }
  }
  if (top.tangent.defined()) {
    const auto [skip, inner] = split(top.tangent);
    below.tangent = inner * c[1];
    if (raw_.defined()) {
      by_skip = by_skip + inner_product(skip, tape.tangent);
      by_inner = by_inner + inner_product(inner, tape.tangent_out);
    }
  }
  Dual down = inner_->dual_reverse(tape.children[0], below, gradients, condition_gradient);
  if (top.value.defined()) down.value = at::add(down.value, split(top.value).first, c[0]);
  if (top.tangent.defined()) down.tangent = at::add(down.tangent, split(top.tangent).first, c[0]);
  if (raw_.defined()) {
    // c = e / |e|:  dL/de = (g - c (c.g)) / |e|,  de/draw = sigmoid(raw)
    const at::Tensor raw = raw_.detach().to(at::kCPU, at::kDouble);
    const at::Tensor g =
        at::stack({by_skip.to(at::kCPU, at::kDouble), by_inner.to(at::kCPU, at::kDouble)});
    const at::Tensor e = at::softplus(raw);
    const at::Tensor by_e = (g - tape.weight * tape.weight.dot(g)) / e.norm();
    gradients.add(raw_, (by_e * at::sigmoid(raw)).to(raw_.options()));
  }
  return down;
}

}  // namespace contraflow
