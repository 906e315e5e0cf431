#include "contraflow/kernels/activations.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

constexpr double kPilaSharpness = 5.0;
constexpr double kCPilaShift = 0.2;

ActivationJet elu_jet(const at::Tensor& z, int order) {
  const at::Tensor below = at::clamp_max(z, 0);
  ActivationJet jet{at::clamp_min(z, 0) + at::expm1(below), {}, {}};
  if (order >= 1) jet.slope = at::exp(below);
  if (order >= 2) jet.curvature = at::where(z < 0, jet.slope, at::zeros({}, z.options()));
  return jet;
}

ActivationJet tanh_jet(const at::Tensor& z, int order) {
  ActivationJet jet{at::tanh(z), {}, {}};
  if (order >= 1) jet.slope = 1 - jet.value * jet.value;
  if (order >= 2) jet.curvature = -2 * jet.value * jet.slope;
  return jet;
}

ActivationJet softplus_jet(const at::Tensor& z, int order) {
  ActivationJet jet{at::clamp_min(z, 0) + at::log1p(at::exp(-z.abs())), {}, {}};
  if (order >= 1) jet.slope = at::sigmoid(z);
  if (order >= 2) jet.curvature = jet.slope * at::sigmoid(-z);
  return jet;
}

ActivationJet sin_jet(const at::Tensor& z, int order) {
  ActivationJet jet{at::sin(z), {}, {}};
  if (order >= 1) jet.slope = at::cos(z);
  if (order >= 2) jet.curvature = -jet.value;
  return jet;
}

ActivationJet swish_jet(const at::Tensor& z, const at::Tensor& beta, int order) {
  const at::Tensor bz = beta * z;
  const at::Tensor s = at::sigmoid(bz);
  ActivationJet jet{z * s, {}, {}};
  if (order < 1) return jet;
  const at::Tensor opposite = at::sigmoid(-bz);  // 1 - s without cancellation
  jet.slope = s * (1 + bz * opposite);
  if (order >= 2) jet.curvature = (beta * s * opposite) * (2 + bz * (opposite - s));
  return jet;
}

ActivationJet pila_jet(const at::Tensor& z, int order) {
  const double k = kPilaSharpness;
  // Below the floor e^(kz) underflows; without it z^3 could overflow first and give inf * 0.
  const double floor = (z.scalar_type() == at::kDouble ? -700.0 : -87.0) / k;
  const at::Tensor n = at::clamp(z, floor, 0.0);
  const at::Tensor e = at::exp(k * n);
  ActivationJet jet{at::clamp_min(z, 0) + n * e * (1 + n * (k * k / 2 * n - k)), {}, {}};
  // At n = 0 the slope's formula gives 1 and the curvature's 0: the values for z >= 0.
  if (order >= 1) jet.slope = e * (1 + n * (-k + n * (k * k / 2 + k * k * k / 2 * n)));
  if (order >= 2) jet.curvature = e * n * n * (k * k * k * (2 + k / 2 * n));
  return jet;
}

ActivationJet relu_jet(const at::Tensor& z, int order) {
  ActivationJet jet{at::clamp_min(z, 0), {}, {}};
  if (order >= 1) jet.slope = (z > 0).to(z.scalar_type());
  if (order >= 2) jet.curvature = at::zeros_like(z);
  return jet;
}

ActivationJet scaled(ActivationJet jet, double factor) {
  jet.value = jet.value * factor;
  if (jet.slope.defined()) jet.slope = jet.slope * factor;
  if (jet.curvature.defined()) jet.curvature = jet.curvature * factor;
  return jet;
}

// [phi(z - shift); phi(-z - shift)] * factor for phi = `inner`.
template <class Inner>
ActivationJet concatenated(const at::Tensor& z, double shift, double factor, Inner inner) {
  const at::Tensor both = at::cat({z, -z}, -1);
  ActivationJet jet = inner(shift == 0.0 ? both : both - shift);
  jet.value = jet.value * factor;
  if (jet.curvature.defined()) jet.curvature = jet.curvature * factor;
  if (jet.slope.defined()) {  // d phi(-z) / dz = -phi'(-z)
    const int64_t h = z.size(-1);
    at::Tensor sign = at::full({2 * h}, factor, z.options());
    sign.narrow(0, h, h).fill_(-factor);
    jet.slope = jet.slope * sign;
  }
  return jet;
}

}  // namespace

ActivationJet activation_jet_composed(Activation kind, const at::Tensor& z, const at::Tensor& beta,
                                      int order) {
  switch (kind) {
    case Activation::kElu:
      return elu_jet(z, order);
    case Activation::kTanh:
      return tanh_jet(z, order);
    case Activation::kSoftplus:
      return softplus_jet(z, order);
    case Activation::kSin:
      return sin_jet(z, order);
    case Activation::kSwish:
      return swish_jet(z, beta, order);
    case Activation::kLipSwish:
      return scaled(swish_jet(z, beta, order), 1 / 1.1);
    case Activation::kPila:
      return pila_jet(z, order);
    case Activation::kCRelu:
      return concatenated(z, 0.0, 1.0, [&](const at::Tensor& v) { return relu_jet(v, order); });
    case Activation::kClipSwish:
      return concatenated(z, 0.0, 1 / 1.1 / 1.004,
                          [&](const at::Tensor& v) { return swish_jet(v, beta, order); });
    case Activation::kCPila:
      return concatenated(z, kCPilaShift, 1 / 1.06,
                          [&](const at::Tensor& v) { return pila_jet(v, order); });
    case Activation::kMaxMin:
    case Activation::kFullSort:
      break;
  }
  fail<ConfigError>("activation_jet", "kind", "an elementwise activation", "a sorting one",
                    "Use SortLayer.");
}

}  // namespace contraflow
