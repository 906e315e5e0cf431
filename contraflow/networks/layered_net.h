#pragma once

#include "contraflow/networks/contractive_net.h"
#include "contraflow/networks/layer.h"
#include "contraflow/networks/norm_orders.h"

namespace contraflow {

/// A contractive network made of layers: no autograd graph, only pre-activations are stored.
/// Source   DESIGN section 3.
class LayeredNet final : public ContractiveNet {
 public:
  /// `orders` of the norms in which the layers are bounded, a layer of `root`; null = Euclidean.
  LayeredNet(LayerPtr root, int64_t condition_size,
             std::shared_ptr<const NormOrders> orders = nullptr);

  int64_t dim() const override { return root_->inputs(); }
  int64_t condition_size() const override { return condition_size_; }
  /// With spectral caps (LipschitzLinearOptions) that which they prove, in the Euclidean norm.
  double lipschitz() const override;
  double norm_order() const override;
  bool proven() const override;
  std::vector<LayerBound> layer_bounds() const override;
  double euclidean_proof() const override;
  const LayerPtr& root() const { return root_; }

  bool lower(NetLowering& to) const override { return root_->lower(to); }
  NetMap map(const at::Tensor& condition) const override;
  std::unique_ptr<NetPoint> linearize(const at::Tensor& w,
                                      const at::Tensor& condition) const override;
  void refresh(bool force) override;

 private:
  // Product over the layers, of linear ones by `of_linear`; orders are those of a sequence.
  double product(double (*of_linear)(const class LipschitzLinear&)) const;

  LayerPtr root_;
  int64_t condition_size_;
  std::shared_ptr<const NormOrders> orders_;
  bool has_spectral_caps_ = false;
};

}  // namespace contraflow
