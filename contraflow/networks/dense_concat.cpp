#include "contraflow/networks/dense_concat.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "contraflow/networks/net_lowering.h"

namespace contraflow {
namespace {

double softplus(double r) { return std::max(r, 0.0) + std::log1p(std::exp(-std::abs(r))); }

at::Tensor inner_product(const at::Tensor& a, const at::Tensor& b) { return (a * b).sum(); }

}  // namespace

DenseConcat::DenseConcat(LayerPtr inner, bool learnable) : inner_(std::move(inner)) {
  register_module("inner", inner_);
  if (learnable) raw_ = register_parameter("raw_concatenation", at::zeros({2}));
}

bool DenseConcat::lower(NetLowering& to) const { return to.add_concat(*this, *inner_); }

// Weights are read once a call and step: entry by entry, without tensor operations.
std::array<double, 2> DenseConcat::raw_values() const {
  const at::Tensor raw = raw_.detach().to(at::kCPU);
  if (raw.scalar_type() == at::kDouble) {
    return {raw.const_data_ptr<double>()[0], raw.const_data_ptr<double>()[1]};
  }
  const at::Tensor raw32 = raw.to(at::kFloat);
  return {raw32.const_data_ptr<float>()[0], raw32.const_data_ptr<float>()[1]};
}

DenseConcat::Weights DenseConcat::weights() const {
  if (!raw_.defined()) return {std::numbers::sqrt2 / 2, std::numbers::sqrt2 / 2};
  const auto [r0, r1] = raw_values();
  const double a = softplus(r0), b = softplus(r1), length = std::hypot(a, b);
  return {a / length, b / length};
}

// c = e / |e|:  dL/de = (g - c (c.g)) / |e|,  de/draw = sigmoid(raw)
std::array<double, 2> DenseConcat::raw_gradient(double by_skip, double by_inner) const {
  const auto [skip, inner] = weights();
  const std::array<double, 2> raw = raw_values();
  const double length = std::hypot(softplus(raw[0]), softplus(raw[1]));
  const double along = skip * by_skip + inner * by_inner;
  const auto chain = [](double r) { return 1 / (1 + std::exp(-r)); };
  return {(by_skip - skip * along) / length * chain(raw[0]),
          (by_inner - inner * along) / length * chain(raw[1])};
}

double DenseConcat::lipschitz() const {
  const auto [skip, inner] = weights();
  return std::hypot(skip, inner * inner_->lipschitz());
}

double DenseConcat::euclidean_proof() const {
  const auto [skip, inner] = weights();
  return std::hypot(skip, inner * inner_->euclidean_proof());
}

double DenseConcat::curvature() const { return weights().inner * inner_->curvature(); }

at::Tensor DenseConcat::product_error(const Tape& tape) const {
  const at::Tensor inner = inner_->product_error(tape.children[0]);
  return inner.defined() ? inner * weights().inner : inner;
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
    const std::array<double, 2> g = raw_gradient(by_skip.item<double>(), by_inner.item<double>());
    gradients.add(raw_, at::tensor({g[0], g[1]}, at::kDouble).to(raw_.options()));
  }
  return down;
}

}  // namespace contraflow
