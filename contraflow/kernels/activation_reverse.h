#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/core/export.h"
#include "contraflow/kernels/activations.h"

namespace contraflow {

/// What comes down to an activation in the reverse pass of  L = value . phi(z) + sum_p tangent_p .
/// (phi'(z) t_p)  and t itself. Either derivative may be undefined (zero); t is defined where
/// `tangent` is.
///
/// Shapes   value [.., expansion * features], tangent [p, .., expansion * features],
///          t [p, .., features], for z [.., features].
struct ActivationTop {
  at::Tensor value;
  at::Tensor tangent;
  at::Tensor t;
};

/// The derivatives of L by z, t and the beta of a swish.
struct ActivationDown {
  at::Tensor value;    ///< [.., features]; undefined where nothing came down
  at::Tensor tangent;  ///< [p, .., features]; undefined without tangents
  at::Tensor beta;     ///< a number; undefined for activations without beta
};

/// The step of a dual reverse through an activation: one fused pass over contiguous numbers on the
/// host, where they are (kernels/activation_passes.h), else composed. No autograd. Not for sorting
/// activations.
CF_EXPORT ActivationDown activation_reverse(Activation kind, const at::Tensor& z,
                                            const at::Tensor& beta, const ActivationTop& top);
/// The definition, of jets that the caller has: slopes, with a beta values, with tangents curvatures.
CF_EXPORT ActivationDown activation_reverse_composed(const ActivationJet& jet, const at::Tensor& z,
                                                     const at::Tensor& beta,
                                                     const ActivationTop& top);

/// [t s_1 ; t s_2] for t [p, .., features] and slopes s [.., expansion * features].
CF_EXPORT at::Tensor slope_jvp(const at::Tensor& slope, const at::Tensor& t);
CF_EXPORT at::Tensor slope_jvp_composed(const at::Tensor& slope, const at::Tensor& t);
/// Its transpose, u_1 s_1 + u_2 s_2 for u [.., expansion * features] with or without probes in front.
CF_EXPORT at::Tensor slope_vjp(const at::Tensor& slope, const at::Tensor& u, int64_t features);
CF_EXPORT at::Tensor slope_vjp_composed(const at::Tensor& slope, const at::Tensor& u,
                                        int64_t features);

}  // namespace contraflow
