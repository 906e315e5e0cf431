#include "contraflow/networks/lipschitz_linear.h"

#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "contraflow/core/rng.h"
#include "contraflow/networks/induced_norm.h"
#include "contraflow/networks/net_lowering.h"
#include "contraflow/networks/order_rule.h"
#include "contraflow/networks/product.h"

namespace contraflow {
namespace {

// Every axis but the last one as one: rows of features.
at::Tensor rows_of(const at::Tensor& t) { return t.reshape({-1, t.size(-1)}); }

// Rows [n, o] with the axes of t [..., i].
at::Tensor with_axes_of(const at::Tensor& t, const at::Tensor& rows) {
  std::vector<int64_t> sizes = t.sizes().vec();
  sizes.back() = rows.size(1);
  return rows.view(sizes);
}

// Rows have two axes, three with probes; grids have two more.
bool on_grid(const at::Tensor& t) { return t.dim() > 3; }

// t [..., i] times a weight [i, o]; rows keep LibTorch's products.
at::Tensor times(const at::Tensor& t, const at::Tensor& weight, ProductType type) {
  const bool plain_rows = !on_grid(t) && type == ProductType::kWorking;
  const at::Tensor rows = rows_of(t);
  return with_axes_of(t, plain_rows ? rows.mm(weight) : product(rows, weight, {}, type));
}

std::shared_ptr<const OrderRule> order_rule(const LipschitzLinearOptions& o) {
  if (!o.orders) return nullptr;
  return std::make_shared<OrderRule>(o.orders, o.node, o.norm, o.norm_tolerance);
}

BoundedWeightOptions weight_options(const LipschitzLinearOptions& o,
                                    const std::shared_ptr<const OrderRule>& orders) {
  const NormRulePtr spectral = std::make_shared<SpectralRule>(o.norm, o.norm_tolerance);
  return {.cap = o.cap,
          .rule = orders ? orders : spectral,
          .refresh_every = o.refresh_every,
          .spectral_cap = o.spectral_cap,
          .spectral_rule = spectral};
}

}  // namespace

LipschitzLinear::LipschitzLinear(const LipschitzLinearOptions& options)
    : options_(options),
      order_rule_(order_rule(options)),
      weight_(*this, {options.outputs, options.inputs}, weight_options(options, order_rule_)),
      shift_(*this, options.outputs, options.condition) {}

void LipschitzLinear::initialise(const Rng& rng, double gain, bool bounded) {
  const double limit = gain / std::sqrt(static_cast<double>(options_.inputs));
  draw_uniform(rng, "weight", weight(), limit);
  shift_.initialise(rng, limit);
  weight_.start(bounded);
}

void LipschitzLinear::append_bounds(const std::string& name, std::vector<LayerBound>& to) const {
  to.push_back(weight_.line(name));
}

double LipschitzLinear::euclidean_proof() const {
  constexpr double kSlack = 1e-6;
  return spectral_norm_bounds(effective_weight(), {}, NormMethod::kCholesky, kSlack).upper;
}

void LipschitzLinear::bind(Tape& tape, const at::Tensor& condition) const {
  tape.weight = effective_weight();
  tape.reduced = reduced_factor(tape.weight, options_.products);
  shift_.bind(tape, condition);
}

at::Tensor LipschitzLinear::product_error(const Tape& tape) const {
  if (!tape.reduced.weight.defined()) return {};
  return contraflow::product_error(tape.reduced, tape.weight, lipschitz());
}

at::Tensor LipschitzLinear::value(const Tape& tape, const at::Tensor& a) const {
  const auto [factor, type] = tape.factor();
  const at::Tensor weight = factor.t();
  if (a.dim() == 2 && type == ProductType::kWorking) return at::addmm(tape.shift, a, weight);
  if (tape.shift.dim() == 1) return with_axes_of(a, product(rows_of(a), weight, tape.shift, type));
  return with_axes_of(a, product(rows_of(a), weight, {}, type))
      .add_(for_each_position(tape.shift, a.dim()));
}

at::Tensor LipschitzLinear::record(Tape& tape, const at::Tensor& a) const {
  tape.input = a;
  return value(tape, a);
}

at::Tensor LipschitzLinear::jvp(Tape& tape, const at::Tensor& t, bool keep) const {
  if (keep) tape.tangent = t;
  const auto [weight, type] = tape.factor();
  return times(t, weight.t(), type);
}

at::Tensor LipschitzLinear::vjp(const Tape& tape, const at::Tensor& u) const {
  const auto [weight, type] = tape.factor();
  return times(u, weight, type);
}

Dual LipschitzLinear::dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                                   at::Tensor& condition_gradient) const {
  Dual down;
  at::Tensor weight_gradient;
  // u^T a, added to what is there: on a grid by the products of all passes.
  const auto add = [&](const at::Tensor& u, const at::Tensor& a, ProductType type) {
    const at::Tensor back = rows_of(u).t(), rows = rows_of(a);
    if (on_grid(u) || type != ProductType::kWorking)
      return add_product(back, rows, weight_gradient, type);
    weight_gradient =
        weight_gradient.defined() ? at::addmm(weight_gradient, back, rows) : back.mm(rows);
  };
  if (top.value.defined()) {
    down.value = times(top.value, tape.weight, ProductType::kWorking);
    add(top.value, tape.input, ProductType::kWorking);
    shift_.add_gradients(tape, top.value, gradients, condition_gradient);
  }
  if (top.tangent.defined()) {
    down.tangent = vjp(tape, top.tangent);
    add(top.tangent, tape.tangent, tape.factor().products);
  }
  if (weight_gradient.defined()) weight_.add_gradient(weight_gradient, gradients);
  return down;
}

OrderSlopes LipschitzLinear::order_slopes() const { return order_rule_->slopes(weight_.pair()); }

bool LipschitzLinear::lower(NetLowering& to) const {
  return options_.products == ProductType::kWorking && to.add_linear(*this);
}

template <class T>
void LipschitzLinear::add_norm_gradient(double factor, T* gradient) const {
  const BoundedWeight::Binding norm = weight_.binding();
  const double per_sigma = factor / norm.sigma;
  const auto* u = norm.pair.left.const_data_ptr<double>();
  const auto* v = norm.pair.right.const_data_ptr<double>();
  for (int64_t o = 0; o < options_.outputs; ++o) {
    const double scaled = per_sigma * u[o];
    for (int64_t i = 0; i < options_.inputs; ++i)
      gradient[o * options_.inputs + i] += static_cast<T>(scaled * v[i]);
  }
}
template void LipschitzLinear::add_norm_gradient(double, float*) const;
template void LipschitzLinear::add_norm_gradient(double, double*) const;

}  // namespace contraflow
