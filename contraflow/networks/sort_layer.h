#pragma once

#include "contraflow/core/export.h"
#include "contraflow/kernels/activations.h"
#include "contraflow/networks/layer.h"

namespace contraflow {

/// MaxMin (sorts neighbouring pairs, larger first) or FullSort (ascending): gradient-norm
/// preserving, piecewise linear. Its Jacobian is a permutation, its second derivative zero.
///
/// Throws   ConfigError for kMaxMin with an odd number of features.
/// Source   Anil et al. 2019, "Sorting out Lipschitz function approximation".
class CF_EXPORT SortLayer final : public PointwiseLayer {
 public:
  SortLayer(Activation kind, int64_t features);

  int64_t inputs() const override { return features_; }
  int64_t outputs() const override { return features_; }
  double lipschitz() const override { return 1.0; }

  void bind(Tape& tape, const at::Tensor& condition) const override;
  at::Tensor value(const Tape& tape, const at::Tensor& a) const override;
  at::Tensor record(Tape& tape, const at::Tensor& a) const override;
  at::Tensor jvp(Tape& tape, const at::Tensor& t, bool keep) const override;
  at::Tensor vjp(const Tape& tape, const at::Tensor& u) const override;
  Dual dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                    at::Tensor& condition_gradient) const override;

 private:
  at::Tensor order(const at::Tensor& a) const;

  Activation kind_;
  int64_t features_;
};

}  // namespace contraflow
