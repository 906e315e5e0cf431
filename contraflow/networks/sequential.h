#pragma once

#include "contraflow/core/export.h"
#include "contraflow/networks/layer.h"
#include "contraflow/networks/lowerable_net.h"

namespace contraflow {

/// Layers one after the other; its constant is the product of theirs.
class CF_EXPORT Sequential final : public Layer, public LowerableNet {
 public:
  explicit Sequential(std::vector<LayerPtr> layers);

  int64_t inputs() const override { return layers_.front()->inputs(); }
  int64_t outputs() const override { return layers_.back()->outputs(); }
  double lipschitz() const override;
  void append_bounds(const std::string& name, std::vector<LayerBound>& to) const override;
  double euclidean_proof() const override;
  double curvature() const override;
  /// The sum of theirs.
  std::optional<int64_t> receptive_radius() const override;
  double unit_roundoff(at::ScalarType type) const override;
  double reduced_roundoff(at::ScalarType type) const override;
  at::Tensor product_error(const Tape& tape) const override;
  const std::vector<LayerPtr>& layers() const { return layers_; }

  void bind(Tape& tape, const at::Tensor& condition) const override;
  at::Tensor value(const Tape& tape, const at::Tensor& a) const override;
  at::Tensor record(Tape& tape, const at::Tensor& a) const override;
  at::Tensor jvp(Tape& tape, const at::Tensor& t, bool keep) const override;
  at::Tensor vjp(const Tape& tape, const at::Tensor& u) const override;
  Dual dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                    at::Tensor& condition_gradient) const override;
  const LowerableNet* lowerable() const override { return this; }
  bool lower(NetLowering& to) const override;
  void refresh(bool force) override;

 private:
  std::vector<LayerPtr> layers_;
};

}  // namespace contraflow
