#pragma once

#include "contraflow/core/export.h"
#include "contraflow/kernels/activations.h"
#include "contraflow/networks/layer.h"
#include "contraflow/networks/lowerable_net.h"

namespace contraflow {

/// Elementwise or concatenating activation; swish's beta = softplus(raw_beta) is learnable, one per
/// layer, as in Residual Flows (section 3.3).
///
/// Shapes   z: [b, features], out: [b, expansion * features].
class CF_EXPORT ActivationLayer final : public PointwiseLayer, public LowerableNet {
 public:
  ActivationLayer(Activation kind, int64_t features);

  int64_t inputs() const override { return features_; }
  int64_t outputs() const override { return features_ * expansion(kind_); }
  double lipschitz() const override { return lipschitz_constant(kind_); }
  /// beta counts: phi(z; beta) = phi_1(beta z) / beta bends beta times as much.
  double curvature() const override {
    return curvature_constant(kind_) * (has_beta(kind_) ? beta_value() : 1.0);
  }

  /// The effective beta (a scalar); undefined for other activations.
  at::Tensor beta() const;

  void bind(Tape& tape, const at::Tensor& condition) const override;
  at::Tensor value(const Tape& tape, const at::Tensor& a) const override;
  at::Tensor record(Tape& tape, const at::Tensor& a) const override;
  at::Tensor jvp(Tape& tape, const at::Tensor& t, bool keep) const override;
  at::Tensor vjp(const Tape& tape, const at::Tensor& u) const override;
  Dual dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                    at::Tensor& condition_gradient) const override;
  const LowerableNet* lowerable() const override { return this; }
  bool lower(NetLowering& to) const override;

  Activation kind() const { return kind_; }
  const at::Tensor& raw_beta() const { return raw_beta_; }
  /// beta() and d beta / d raw_beta as numbers.
  double beta_value() const;
  double beta_chain() const;

 private:
  double raw_value() const;

  Activation kind_;
  int64_t features_;
  at::Tensor raw_beta_;
};

}  // namespace contraflow
