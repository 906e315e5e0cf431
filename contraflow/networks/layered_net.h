#pragma once

#include "contraflow/networks/contractive_net.h"
#include "contraflow/networks/layer.h"

namespace contraflow {

/// A contractive network made of layers: no autograd graph, only pre-activations are stored.
/// Source   DESIGN section 3.
class LayeredNet final : public ContractiveNet {
 public:
  LayeredNet(LayerPtr root, int64_t condition_size);

  int64_t dim() const override { return root_->inputs(); }
  int64_t condition_size() const override { return condition_size_; }
  double lipschitz() const override { return root_->lipschitz(); }
  bool proven() const override;
  std::vector<LayerBound> layer_bounds() const override;
  const LayerPtr& root() const { return root_; }

  bool lower(NetLowering& to) const override { return root_->lower(to); }
  NetMap map(const at::Tensor& condition) const override;
  std::unique_ptr<NetPoint> linearize(const at::Tensor& w,
                                      const at::Tensor& condition) const override;
  void refresh(bool force) override;

 private:
  LayerPtr root_;
  int64_t condition_size_;
};

}  // namespace contraflow
