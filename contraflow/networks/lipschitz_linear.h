#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/float64_buffers.h"
#include "contraflow/networks/bounded_weight.h"
#include "contraflow/networks/feature_shift.h"
#include "contraflow/networks/layer.h"
#include "contraflow/networks/lowerable_net.h"
#include "contraflow/networks/spectral_norm.h"

namespace contraflow {

struct LipschitzLinearOptions {
  int64_t inputs = 0;
  int64_t outputs = 0;
  /// Cap c on the norm of the effective weight.
  double cap = 1.0;
  NormMethod norm = NormMethod::kCholesky;
  /// Relative tolerance of the norm's iteration and slack of its proof.
  double norm_tolerance = 1e-3;
  /// Calls of refresh() per recomputation; between them the bound grows by ||W - W_snapshot||_F.
  int64_t refresh_every = 1;
  /// Width of the condition; 0 = none. The condition's weights are not constrained.
  int64_t condition = 0;
  /// Of the passes of a tape that takes_reduced.
  ProductType products = ProductType::kWorking;
  /// The norm is |W|_(p -> q) of the orders p and q at nodes `node` and `node + 1`; null =
  /// spectral. refresh_every then does not apply: these norms are recomputed at every call.
  std::shared_ptr<const class NormOrders> orders = nullptr;
  int64_t node = 0;
  /// Cap on the spectral norm as well, for orders whose norm is only estimated; 0 = none.
  double spectral_cap = 0.0;
};

/// z = s W a + b + V h,  h the condition, s W a BoundedWeight: Lipschitz in a with constant c.
///
/// Shapes   a: [b, inputs], z: [b, outputs], W: [outputs, inputs], V: [outputs, condition],
///          h: [b, condition]. On a grid, a: [b, height, width, inputs], it is the 1x1 convolution,
///          whose norm is that of W.
/// Bound    in the norms of options.orders; proven() unless options.norm is kEstimated, or the
///          orders are learned or not among those of induced_norm_is_exact(). With a spectral cap
///          it is the bound on the spectral norm.
class CF_EXPORT LipschitzLinear final : public KeepsFloat64Buffers<Layer>, public LowerableNet {
 public:
  explicit LipschitzLinear(const LipschitzLinearOptions& options);

  int64_t inputs() const override { return options_.inputs; }
  int64_t outputs() const override { return options_.outputs; }
  double lipschitz() const override { return weight_.lipschitz(); }
  void append_bounds(const std::string& name, std::vector<LayerBound>& to) const override;
  /// Of the spectral norm of the effective weight, whatever its own norm is.
  double euclidean_proof() const override;
  double curvature() const override { return 0.0; }
  std::optional<int64_t> receptive_radius() const override { return 0; }
  double reduced_roundoff(at::ScalarType type) const override {
    return contraflow::unit_roundoff(options_.products, type);
  }
  at::Tensor product_error(const Tape& tape) const override;
  const LipschitzLinearOptions& options() const { return options_; }

  /// The factor s now in force.
  double scale() const { return weight_.scale(); }
  /// Bounds on the norm of the raw weight: upper includes the drift since the last refresh.
  NormBounds bounds() const { return weight_.bounds(); }
  at::Tensor effective_weight() const { return weight_.effective(); }

  /// Weight and bias from a kaiming-uniform stream. With `bounded` = false the norm of many weights
  /// waits for the first refresh(): BoundedWeight::start().
  void initialise(const class Rng& rng, double gain, bool bounded = true);

  void bind(Tape& tape, const at::Tensor& condition) const override;
  at::Tensor value(const Tape& tape, const at::Tensor& a) const override;
  at::Tensor record(Tape& tape, const at::Tensor& a) const override;
  at::Tensor jvp(Tape& tape, const at::Tensor& t, bool keep) const override;
  at::Tensor vjp(const Tape& tape, const at::Tensor& u) const override;
  Dual dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                    at::Tensor& condition_gradient) const override;
  const LowerableNet* lowerable() const override { return this; }
  bool lower(NetLowering& to) const override;
  void refresh(bool force) override { weight_.refresh(force); }

  const at::Tensor& weight() const { return weight_.raw(); }
  const at::Tensor& bias() const { return shift_.bias(); }
  /// [outputs, condition]; undefined without a condition.
  const at::Tensor& condition_weight() const { return shift_.condition_weight(); }
  /// gradient [outputs, inputs] += factor / sigma * u v^T: the share of a weight gradient that the
  /// norm has whose cap binds.
  template <class T>
  void add_norm_gradient(double factor, T* gradient) const;
  /// Whether s is what the spectral cap leaves, and the orders move nothing.
  bool spectral_cap_binds() const { return weight_.binding().spectral; }
  /// d log(norm) by the orders p and q; learned orders only.
  struct OrderSlopes order_slopes() const;

 protected:
  std::vector<at::Tensor> float64_buffers() const override { return weight_.float64_buffers(); }
  void converted() override {  // rounding changed the weights
    if (!weight_.waiting()) refresh(true);
  }

 private:
  LipschitzLinearOptions options_;
  std::shared_ptr<const class OrderRule> order_rule_;  // null without orders
  BoundedWeight weight_;
  FeatureShift shift_;
};

}  // namespace contraflow
