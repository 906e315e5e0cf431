#pragma once

#include <ATen/core/Tensor.h>

#include <limits>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"

namespace contraflow {

/// Activations of contractive networks. All but kSwish have Lipschitz constant <= 1.
enum class Activation {
  kElu,
  kTanh,
  kSoftplus,
  kSin,
  kSwish,      ///< z sigmoid(beta z); constant 1.09984.
  kLipSwish,   ///< swish / 1.1 (Chen et al. 2019, section 3.3)
  kPila,       ///< z for z >= 0, (k^2/2 z^3 - k z^2 + z) e^(kz) below, k = 5 (Monotone Flows)
  kCRelu,      ///< [relu(z); relu(-z)]
  kClipSwish,  ///< [lipswish(z); lipswish(-z)] / 1.004 (i-DenseNets)
  kCPila,      ///< [pila(z - .2); pila(-z - .2)] / 1.06 (Monotone Flows)
  kMaxMin,     ///< sorts neighbouring pairs
  kFullSort,   ///< sorts all features
};

constexpr auto enum_names(Activation) {
  return std::array{
      std::pair{"elu", Activation::kElu},
      std::pair{"tanh", Activation::kTanh},
      std::pair{"softplus", Activation::kSoftplus},
      std::pair{"sin", Activation::kSin},
      std::pair{"swish", Activation::kSwish},
      std::pair{"lipswish", Activation::kLipSwish},
      std::pair{"pila", Activation::kPila},
      std::pair{"crelu", Activation::kCRelu},
      std::pair{"clipswish", Activation::kClipSwish},
      std::pair{"cpila", Activation::kCPila},
      std::pair{"maxmin", Activation::kMaxMin},
      std::pair{"fullsort", Activation::kFullSort},
  };
}

/// What is known of an activation without its formula.
struct ActivationTraits {
  double lipschitz = 1.0;  ///< bound on sup |phi'|; of concatenating ones on the pair of slopes
  int expansion = 1;       ///< 2 for the concatenating ones: features out per feature in
  bool has_beta = false;   ///< the swish of a learnable beta
  bool sorts = false;      ///< sorts features instead of acting on each
};

/// The one table of them.
constexpr ActivationTraits activation_traits(Activation kind) {
  switch (kind) {
    case Activation::kSwish:
      return {.lipschitz = 1.09984, .has_beta = true};
    case Activation::kLipSwish:
      return {.has_beta = true};
    case Activation::kCRelu:
    case Activation::kCPila:
      return {.expansion = 2};
    case Activation::kClipSwish:
      return {.expansion = 2, .has_beta = true};
    case Activation::kMaxMin:
    case Activation::kFullSort:
      return {.sorts = true};
    default:
      return {};
  }
}
/// Bound on sup |phi''| at beta = 1, of concatenating ones on the pair: how fast slopes change.
/// Infinite where a slope jumps. Swish bends most at 0, by 1/2; pila by k u^2 (u / 2 + 2) e^u of
/// u = k z, most at u = (sqrt(17) - 7) / 2; tanh by 4 / (3 sqrt 3).
constexpr double curvature_constant(Activation kind) {
  constexpr double kSqrt2 = 1.41421357, kPila = 3.1445;
  switch (kind) {
    case Activation::kElu:
    case Activation::kSin:
      return 1.0;
    case Activation::kTanh:
      return 0.76981;
    case Activation::kSoftplus:
      return 0.25;
    case Activation::kSwish:
      return 0.5;
    case Activation::kLipSwish:
      return 0.5 / 1.1;
    case Activation::kPila:
      return kPila;
    case Activation::kClipSwish:
      return kSqrt2 * 0.5 / 1.1 / 1.004;
    case Activation::kCPila:
      return kSqrt2 * kPila / 1.06;
    case Activation::kCRelu:
    case Activation::kMaxMin:
    case Activation::kFullSort:
      break;
  }
  return std::numeric_limits<double>::infinity();
}
constexpr double lipschitz_constant(Activation kind) { return activation_traits(kind).lipschitz; }
constexpr int64_t expansion(Activation kind) { return activation_traits(kind).expansion; }
constexpr bool has_beta(Activation kind) { return activation_traits(kind).has_beta; }
constexpr bool is_sorting(Activation kind) { return activation_traits(kind).sorts; }

/// Value and derivatives with respect to z, each [.., expansion * features]; the second half of a
/// concatenating activation holds the derivatives of z -> phi(-z).
struct ActivationJet {
  at::Tensor value;
  at::Tensor slope;      ///< defined for order >= 1
  at::Tensor curvature;  ///< defined for order >= 2
};

/// phi(z) and its derivatives up to `order`, of z [.., features]: one fused pass where there is one
/// (kernels/jets.h on the host, kernels/cuda/jets.cuh on a card), else composed.
/// `beta` (scalar tensor) is used by the swish family only. Finite z give finite results.
/// Not for sorting activations.
CF_EXPORT ActivationJet activation_jet(Activation kind, const at::Tensor& z, const at::Tensor& beta,
                                       int order);
/// The definition: plain LibTorch operations, any device, float32 or float64, differentiable.
CF_EXPORT ActivationJet activation_jet_composed(Activation kind, const at::Tensor& z,
                                                const at::Tensor& beta, int order);

}  // namespace contraflow
