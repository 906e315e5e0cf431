#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/float64_buffers.h"
#include "contraflow/networks/bounded_weight.h"
#include "contraflow/networks/conv_grid.h"
#include "contraflow/networks/feature_shift.h"
#include "contraflow/networks/layer.h"
#include "contraflow/networks/spectral_norm.h"

namespace contraflow {

struct LipschitzConvOptions {
  /// Channels.
  int64_t inputs = 0;
  int64_t outputs = 0;
  /// Side of the kernel, odd.
  int64_t kernel = 3;
  /// The bound holds on this grid: another one has another norm.
  ConvGrid grid;
  /// Cap c on the norm of the effective convolution.
  double cap = 1.0;
  NormMethod norm = NormMethod::kCholesky;
  /// Relative tolerance of the norm's iteration and slack of its proof.
  double norm_tolerance = 1e-3;
  /// Calls of refresh() per recomputation; between them the bound grows by the sum over taps of
  /// ||W - W_snapshot||_F.
  int64_t refresh_every = 1;
  /// Width of the condition; 0 = none. The condition's weights are not constrained.
  int64_t condition = 0;
  /// Of the passes of a tape that takes_reduced.
  ProductType products = ProductType::kWorking;
};

/// Convolution  z = s W * a + b + V h,  h the condition, s W a BoundedWeight: Lipschitz in a with
/// constant c on its grid.
///
/// Shapes   a: [b, height, width, inputs], z: [b, height, width, outputs], W: [outputs, inputs,
///          kernel, kernel] in LibTorch's sense (a cross-correlation), V: [outputs, condition],
///          h: [b, condition]: the condition is a shift of each channel. Tangents have the probes in
///          front.
/// Bound    proven unless options.norm is kEstimated. Circular: the norm itself. Zero padding: that
///          of a circulant that has the convolution in its corner; docs/numerics.md, "Norms of
///          convolutions", says by how much it is larger.
/// Radius   (kernel - 1) / 2 pixels along each axis.
/// Cost     a matrix product of the host for each product (conv_product.h), elsewhere a convolution by
///          LibTorch.
/// Throws   ConfigError for an even kernel and sizes below 1.
/// Source   Chen et al. 2019, app. E (zero padding, power iteration on the operator of the grid);
///          Sedghi, Gupta, Long 2019, "The singular values of convolutional layers" (circular).
class CF_EXPORT LipschitzConv final : public KeepsFloat64Buffers<Layer> {
 public:
  explicit LipschitzConv(const LipschitzConvOptions& options);

  int64_t inputs() const override { return options_.inputs; }
  int64_t outputs() const override { return options_.outputs; }
  double lipschitz() const override { return weight_.lipschitz(); }
  void append_bounds(const std::string& name, std::vector<LayerBound>& to) const override;
  double euclidean_proof() const override;
  double curvature() const override { return 0.0; }
  std::optional<int64_t> receptive_radius() const override { return (options_.kernel - 1) / 2; }
  /// That of TF32 where cuDNN may round the products' inputs to it.
  double unit_roundoff(at::ScalarType type) const override;
  double reduced_roundoff(at::ScalarType type) const override;
  at::Tensor product_error(const Tape& tape) const override;
  const LipschitzConvOptions& options() const { return options_; }

  /// The factor s now in force.
  double scale() const { return weight_.scale(); }
  /// Bounds on the norm of the raw weight: upper includes the drift since the last refresh.
  NormBounds bounds() const { return weight_.bounds(); }
  at::Tensor effective_weight() const { return weight_.effective(); }

  /// Weight and bias uniform within gain / sqrt(inputs kernel^2). With `bounded` = false the norm of
  /// many weights waits for the first refresh(): BoundedWeight::start().
  void initialise(const Rng& rng, double gain, bool bounded = true);

  void bind(Tape& tape, const at::Tensor& condition) const override;
  at::Tensor value(const Tape& tape, const at::Tensor& a) const override;
  at::Tensor record(Tape& tape, const at::Tensor& a) const override;
  at::Tensor jvp(Tape& tape, const at::Tensor& t, bool keep) const override;
  at::Tensor vjp(const Tape& tape, const at::Tensor& u) const override;
  Dual dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                    at::Tensor& condition_gradient) const override;
  void refresh(bool force) override { weight_.refresh(force); }

  const at::Tensor& weight() const { return weight_.raw(); }

 protected:
  std::vector<at::Tensor> float64_buffers() const override { return weight_.float64_buffers(); }
  void converted() override {  // rounding changed the weights
    if (!weight_.waiting()) refresh(true);
  }

 private:
  LipschitzConvOptions options_;
  BoundedWeight weight_;
  FeatureShift shift_;
};

}  // namespace contraflow
