#pragma once

#include "contraflow/networks/layer.h"
#include "contraflow/networks/spectral_norm.h"

namespace contraflow {

struct LipschitzLinearOptions {
  int64_t inputs = 0;
  int64_t outputs = 0;
  /// Cap c on the spectral norm of the effective weight.
  double cap = 1.0;
  NormMethod norm = NormMethod::kCholesky;
  /// Relative tolerance of the norm's iteration and slack of its proof.
  double norm_tolerance = 1e-3;
  /// Calls of refresh() per recomputation; between them the bound grows by ||W - W_snapshot||_F.
  int64_t refresh_every = 1;
  /// Width of the condition; 0 = none. The condition's weights are not constrained.
  int64_t condition = 0;
};

/// z = s W a + b + V h,  s = min(1, c / bound(W)),  h the condition: Lipschitz in a with constant
/// c.
///
/// Shapes   a: [b, inputs], z: [b, outputs], W: [outputs, inputs], V: [outputs, condition].
/// Bound    proven unless options.norm is kEstimated; gradients go through s by the top singular
///          pair (d bound = bound / sigma * u^T dW v).
/// Buffers  bounds = {lower, upper, drift, calls since refresh} and the singular pair, always
/// float64
///          on the CPU, so that the proof survives a conversion of the weights.
class LipschitzLinear final : public Layer {
 public:
  explicit LipschitzLinear(const LipschitzLinearOptions& options);

  int64_t inputs() const override { return options_.inputs; }
  int64_t outputs() const override { return options_.outputs; }
  /// min(c, upper + drift): bound on the norm of the effective weight.
  double lipschitz() const override;
  const LipschitzLinearOptions& options() const { return options_; }

  /// The factor s now in force.
  double scale() const;
  /// Bounds on the norm of the raw weight: upper includes the drift since the last refresh.
  NormBounds bounds() const;
  at::Tensor effective_weight() const;

  /// Weight and bias from a kaiming-uniform stream.
  void initialise(const class Rng& rng, double gain);

  void bind(Tape& tape, const at::Tensor& condition) const override;
  at::Tensor value(const Tape& tape, const at::Tensor& a) const override;
  at::Tensor record(Tape& tape, const at::Tensor& a) const override;
  at::Tensor jvp(Tape& tape, const at::Tensor& t, bool keep) const override;
  at::Tensor vjp(const Tape& tape, const at::Tensor& u) const override;
  Dual dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                    at::Tensor& condition_gradient) const override;
  bool lower(NetLowering& to) const override;
  void refresh(bool force) override;

  const at::Tensor& weight() const { return weight_; }
  const at::Tensor& bias() const { return bias_; }
  /// gradient [outputs, inputs] += factor / sigma * u v^T: the norm's share of a weight gradient.
  template <class T>
  void add_norm_gradient(double factor, T* gradient) const;

  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Device device, bool non_blocking = false) override;

 private:
  template <class Convert>
  void convert(Convert to_base);
  void add_weight_gradient(const at::Tensor& effective_gradient, GradientMap& gradients) const;

  LipschitzLinearOptions options_;
  at::Tensor weight_, bias_, condition_weight_;
  at::Tensor bounds_, left_, right_, snapshot_;
};

}  // namespace contraflow
