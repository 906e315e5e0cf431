#pragma once

#include <algorithm>

#include "contraflow/core/export.h"
#include "contraflow/networks/contractive_net.h"
#include "contraflow/networks/layer.h"
#include "contraflow/networks/norm_orders.h"

namespace contraflow {

/// A contractive network made of layers: no autograd graph, only pre-activations are stored.
///
/// Shapes   w, G(w): [b, d] rows; the layers between may see a grid.
/// Proof    proven() when each line of layer_bounds() is; a layer that does not say what its
///          constant rests on has one that is not.
/// Source   docs/numerics.md, "Derivatives of a network without a graph".
class CF_EXPORT LayeredNet final : public ContractiveNet {
 public:
  /// `orders`, a layer of `root`, are those of the norms in which the layers are bounded; null:
  /// Euclidean. With spectral caps the layers' bounds, and so the net's, are Euclidean all the same.
  LayeredNet(LayerPtr root, int64_t condition_size,
             std::shared_ptr<const NormOrders> orders = nullptr, bool has_spectral_caps = false);
  /// Of a net on images: its rows are `channels` times the pixels of `grid`.
  LayeredNet(LayerPtr root, int64_t condition_size, int64_t channels, const ConvGrid& grid);

  int64_t dim() const override { return root_->inputs(); }
  int64_t condition_size() const override { return condition_size_; }
  double lipschitz() const override { return root_->lipschitz(); }
  double norm_order() const override {
    return orders_ && !has_spectral_caps_ ? orders_->order(0) : 2.0;
  }
  bool proven() const override;
  std::vector<LayerBound> layer_bounds() const override;
  double euclidean_proof() const override;
  double curvature() const override { return root_->curvature(); }
  std::optional<int64_t> receptive_radius() const override { return root_->receptive_radius(); }
  /// Set for a net on images whose radius is known.
  std::optional<GridReach> reach() const;
  double unit_roundoff(at::ScalarType type) const override {
    return std::max(root_->unit_roundoff(type), ContractiveNet::unit_roundoff(type));
  }
  double reduced_roundoff(at::ScalarType type) const override {
    return std::max(root_->reduced_roundoff(type), unit_roundoff(type));
  }
  const LayerPtr& root() const { return root_; }

  const LowerableNet* lowerable() const override { return root_->lowerable(); }
  NetMap map(const at::Tensor& condition) const override;
  NetMap reduced_map(const at::Tensor& condition) const override;
  std::unique_ptr<NetPoint> linearize(const at::Tensor& w,
                                      const at::Tensor& condition) const override;
  void refresh(bool force) override;

 private:
  NetMap map_of(const Tape& tape) const;

  LayerPtr root_;
  int64_t condition_size_;
  std::shared_ptr<const NormOrders> orders_;
  bool has_spectral_caps_;
  std::optional<GridReach> image_;  // without its radius
};

}  // namespace contraflow
