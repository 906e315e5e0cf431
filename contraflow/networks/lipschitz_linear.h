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
  /// The norm is |W|_(p -> q) of the orders p and q at nodes `node` and `node + 1`; null =
  /// spectral. refresh_every then does not apply: these norms are recomputed at every call.
  std::shared_ptr<const class NormOrders> orders = nullptr;
  int64_t node = 0;
  /// Cap on the spectral norm as well, for orders whose norm is only estimated; 0 = none.
  double spectral_cap = 0.0;
};

/// z = s W a + b + V h,  s = min(1, c / bound(W)),  h the condition: Lipschitz in a with constant
/// c. With a spectral cap c_2, s is at most c_2 / sigma(W) too.
///
/// Shapes   a: [b, inputs], z: [b, outputs], W: [outputs, inputs], V: [outputs, condition].
/// Bound    in the norms of options.orders; proven() unless options.norm is kEstimated, or the
/// orders
///          are learned or not among those of induced_norm_is_exact(); gradients go through s by
///          the top singular pair (d bound = bound / sigma * u^T dW v).
/// Buffers  bounds = {lower, upper, drift, calls since refresh} and the singular pair, always
/// float64
///          on the CPU, so that the proof survives a conversion of the weights; the same of the
///          spectral norm where it has a cap of its own.
class LipschitzLinear final : public Layer {
 public:
  explicit LipschitzLinear(const LipschitzLinearOptions& options);

  int64_t inputs() const override { return options_.inputs; }
  int64_t outputs() const override { return options_.outputs; }
  /// min(c, upper + drift): bound on the norm of the effective weight.
  double lipschitz() const override;
  const LipschitzLinearOptions& options() const { return options_; }
  /// Whether a bound is proven: lipschitz(), or with a spectral cap spectral_lipschitz().
  bool proven() const;
  /// Bound on the spectral norm of the effective weight in force through the spectral cap.
  double spectral_lipschitz() const;
  /// Bounds on the spectral norm of the raw weight, tracked only with a spectral cap.
  NormInterval spectral_bounds() const;
  /// Whether s is what the spectral cap leaves, and the orders move nothing.
  bool spectral_cap_binds() const;
  /// p and q.
  double input_order() const;
  double output_order() const;

  /// The factor s now in force.
  double scale() const;
  /// Bounds on the norm of the raw weight: upper includes the drift since the last refresh.
  NormBounds bounds() const;
  at::Tensor effective_weight() const;
  /// A proven bound on the spectral norm of the effective weight, whatever its own norm is.
  double spectral_proof() const;

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
  /// gradient [outputs, inputs] += factor / sigma * u v^T: the share of a weight gradient that the
  /// norm has whose cap binds.
  template <class T>
  void add_norm_gradient(double factor, T* gradient) const;
  /// d log(norm) by the orders p and q; learned orders only.
  struct OrderSlopes order_slopes() const;

  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Dtype dtype, bool non_blocking = false) override;
  void to(torch::Device device, bool non_blocking = false) override;

 private:
  template <class Convert>
  void convert(Convert to_base);
  // A norm of the raw weight, and the cap on it: s is at most cap / upper.
  struct Capped {
    double cap, lower, upper;
    const at::Tensor& left;
    const at::Tensor& right;
  };
  Capped own_norm() const;
  Capped spectral_norm() const;
  Capped binding_norm() const { return spectral_cap_binds() ? spectral_norm() : own_norm(); }
  double scale_within(const Capped& norm) const;
  double margin() const;
  bool has_spectral_cap() const { return options_.spectral_cap > 0.0; }
  NormInterval update_norm();
  void add_order_gradient(double by_log_norm, GradientMap& gradients) const;
  void add_weight_gradient(const at::Tensor& effective_gradient, GradientMap& gradients) const;

  LipschitzLinearOptions options_;
  at::Tensor weight_, bias_, condition_weight_;
  at::Tensor bounds_, left_, right_, snapshot_;
  at::Tensor spectral_bounds_, spectral_left_, spectral_right_;  // with a spectral cap
};

}  // namespace contraflow
