#include "contraflow/networks/lipschitz_conv.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include <algorithm>
#include <cmath>

#include "contraflow/core/error.h"
#include "contraflow/core/rng.h"
#include "contraflow/networks/conv_norm.h"
#include "contraflow/networks/conv_product.h"
#include "contraflow/networks/conv_rule.h"

namespace contraflow {
namespace {

const LipschitzConvOptions& checked_conv(const LipschitzConvOptions& o) {
  constexpr const char* kWhere = "LipschitzConv";
  if (o.kernel < 1 || o.kernel % 2 == 0) {
    fail<ConfigError>(kWhere, "kernel", "an odd side of at least 1", std::to_string(o.kernel),
                      "Use 1, 3 or 5: an even kernel has no middle.");
  }
  if (std::min({o.inputs, o.outputs, o.grid.height, o.grid.width}) < 1) {
    fail<ConfigError>(kWhere, "sizes", "channels and sides of the grid of at least 1",
                      c10::str(o.inputs, " to ", o.outputs, " channels on ", o.grid.height, " x ",
                               o.grid.width, " pixels"),
                      "Check the event and the widths of the network.");
  }
  return o;
}

NormRulePtr conv_rule(const LipschitzConvOptions& o) {
  return std::make_shared<ConvRule>(o.kernel, o.grid, o.norm, o.norm_tolerance);
}

// Probes and events as one axis.
at::Tensor as_events(const at::Tensor& t) { return t.flatten(0, 1); }
at::Tensor as_probes(const at::Tensor& events, const at::Tensor& like) {
  std::vector<int64_t> sizes = like.sizes().vec();
  sizes.back() = events.size(-1);
  return events.view(sizes);
}

}  // namespace

LipschitzConv::LipschitzConv(const LipschitzConvOptions& options)
    : options_(checked_conv(options)),
      weight_(
          *this, {options.outputs, options.inputs, options.kernel, options.kernel},
          {.cap = options.cap, .rule = conv_rule(options), .refresh_every = options.refresh_every}),
      shift_(*this, options.outputs, options.condition) {}

void LipschitzConv::initialise(const Rng& rng, double gain, bool bounded) {
  const auto fan_in = static_cast<double>(options_.inputs * options_.kernel * options_.kernel);
  draw_uniform(rng, "weight", weight(), gain / std::sqrt(fan_in));
  shift_.initialise(rng, gain / std::sqrt(fan_in));
  weight_.start(bounded);
}

void LipschitzConv::append_bounds(const std::string& name, std::vector<LayerBound>& to) const {
  to.push_back(weight_.line(name));
}

double LipschitzConv::euclidean_proof() const {
  constexpr double kSlack = 1e-6;
  NormPair pair = empty_conv_pair(options_.outputs, options_.inputs);
  const ConvFrequencies frequencies(options_.kernel, options_.grid);
  return update_conv_norm(effective_weight(), frequencies, pair, NormMethod::kCholesky, kSlack)
      .upper;
}

double LipschitzConv::unit_roundoff(at::ScalarType type) const {
  const bool is_narrow = type == at::kFloat && weight().is_cuda() &&
                         at::globalContext().allowTF32CuDNN(at::Float32Op::CONV);
  return contraflow::unit_roundoff(is_narrow ? at::kHalf : type);  // TF32 has half's 11 bits
}

double LipschitzConv::reduced_roundoff(at::ScalarType type) const {
  return std::max(unit_roundoff(type), contraflow::unit_roundoff(options_.products, type));
}

at::Tensor LipschitzConv::product_error(const Tape& tape) const {
  if (!tape.reduced.weight.defined()) return {};
  return contraflow::product_error(tape.reduced, tape.weight, lipschitz());
}

void LipschitzConv::bind(Tape& tape, const at::Tensor& condition) const {
  tape.weight = effective_weight();
  tape.reduced = reduced_factor(tape.weight, options_.products);
  shift_.bind(tape, condition);
}

at::Tensor LipschitzConv::value(const Tape& tape, const at::Tensor& a) const {
  const ConvPadding padding = options_.grid.padding;
  const auto [weight, type] = tape.factor();
  if (tape.shift.dim() == 1) return convolve(a, weight, tape.shift, padding, type);
  return convolve(a, weight, {}, padding, type).add_(for_each_position(tape.shift, a.dim()));
}

at::Tensor LipschitzConv::record(Tape& tape, const at::Tensor& a) const {
  tape.input = a;
  return value(tape, a);
}

at::Tensor LipschitzConv::jvp(Tape& tape, const at::Tensor& t, bool keep) const {
  if (keep) tape.tangent = t;
  const auto [weight, type] = tape.factor();
  return as_probes(convolve(as_events(t), weight, {}, options_.grid.padding, type), t);
}

at::Tensor LipschitzConv::vjp(const Tape& tape, const at::Tensor& u) const {
  const at::Tensor events = u.dim() == 5 ? as_events(u) : u;
  const auto [weight, type] = tape.factor();
  return as_probes(convolve_transposed(events, weight, options_.grid.padding, type), u);
}

Dual LipschitzConv::dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                                 at::Tensor& condition_gradient) const {
  const ConvPadding padding = options_.grid.padding;
  Dual down;
  at::Tensor by_weight;
  if (top.value.defined()) {
    down.value = convolve_transposed(top.value, tape.weight, padding);
    by_weight = convolve_weight_gradient(top.value, tape.input, tape.weight, padding);
    shift_.add_gradients(tape, top.value, gradients, condition_gradient);
  }
  if (top.tangent.defined()) {
    down.tangent = vjp(tape, top.tangent);
    const at::Tensor of_tangents =
        convolve_weight_gradient(as_events(top.tangent), as_events(tape.tangent), tape.weight,
                                 padding, tape.factor().products);
    by_weight = by_weight.defined() ? by_weight + of_tangents : of_tangents;
  }
  if (by_weight.defined()) weight_.add_gradient(by_weight, gradients);
  return down;
}

}  // namespace contraflow
