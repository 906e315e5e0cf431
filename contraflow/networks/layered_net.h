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
  double lipschitz() const override { return root_->lipschitz(); }
  double norm_order() const override { return orders_ ? orders_->order(0) : 2.0; }
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
  LayerPtr root_;
  int64_t condition_size_;
  std::shared_ptr<const NormOrders> orders_;
};

}  // namespace contraflow
