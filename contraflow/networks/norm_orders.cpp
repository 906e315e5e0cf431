#include "contraflow/networks/norm_orders.h"

#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/core/error.h"

namespace contraflow {

NormOrders::NormOrders(int64_t features, std::vector<double> orders)
    : features_(features), count_(static_cast<int64_t>(orders.size())), fixed_(std::move(orders)) {
  for (const double p : fixed_) {
    if (p >= 1.0) continue;
    fail<ConfigError>("net", "norm_orders", "orders of at least 1", std::to_string(p),
                      "Below 1 there is no norm.");
  }
}

NormOrders::NormOrders(int64_t features, int64_t count, bool shared)
    : features_(features), count_(count) {
  raw_ = register_parameter("raw_orders", at::zeros({shared ? 1 : count}));
}

std::shared_ptr<NormOrders> NormOrders::learned(int64_t features, int64_t count, bool shared) {
  return std::shared_ptr<NormOrders>(new NormOrders(features, count, shared));
}

int64_t NormOrders::place(int64_t node) const {
  const int64_t around = node % count_;
  return raw_.defined() && raw_.size(0) == 1 ? 0 : around;
}

double NormOrders::order(int64_t node) const {
  if (!learnable()) return fixed_[static_cast<size_t>(place(node))];
  return 2.0 + std::tanh(raw_.detach()[place(node)].item<double>()) / 2.0;
}

void NormOrders::add_gradient(int64_t node, double by_order, GradientMap& gradients) const {
  at::Tensor gradient = at::zeros_like(raw_.detach());
  gradient[place(node)] = by_order * chain(node);
  gradients.add(raw_, gradient);
}

double NormOrders::chain(int64_t node) const {
  const double twice = 2.0 * (order(node) - 2.0);  // tanh(raw)
  return (1.0 - twice * twice) / 2.0;
}

void NormOrders::bind(Tape& /*tape*/, const at::Tensor& /*condition*/) const {}
at::Tensor NormOrders::value(const Tape& /*tape*/, const at::Tensor& a) const { return a; }
at::Tensor NormOrders::record(Tape& /*tape*/, const at::Tensor& a) const { return a; }
at::Tensor NormOrders::jvp(Tape& /*tape*/, const at::Tensor& t, bool /*keep*/) const { return t; }
at::Tensor NormOrders::vjp(const Tape& /*tape*/, const at::Tensor& u) const { return u; }

Dual NormOrders::dual_reverse(const Tape& /*tape*/, const Dual& top, GradientMap& /*gradients*/,
                              at::Tensor& /*condition_gradient*/) const {
  return top;
}

}  // namespace contraflow
