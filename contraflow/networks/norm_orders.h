#pragma once

#include <optional>

#include "contraflow/core/export.h"
#include "contraflow/networks/layer.h"
#include "contraflow/networks/lowerable_net.h"

namespace contraflow {

/// The orders p_0, p_1, ..., p_(L-1) of the norms in which a net of L linear layers is bounded:
/// layer k maps (R^i, |.|_p_k) to (R^o, |.|_p_(k+1)), and p_L = p_0, so that the product of the
/// layers' mixed norms |W|_(p -> q) = sup |W x|_q / |x|_p bounds the net in the norm of order p_0.
///
/// As a layer  the identity, first in the net: it is where learned orders live as parameters.
/// Learned     p = 2 + tanh(raw) / 2, in (1.5, 2.5), from p = 2; one raw for each order, or one
///             shared by all. (The paper prints 1 + tanh(s)/2 and the range (1.5, 2.5), which is
///             that of ours.)
/// Throws      ConfigError for an order below 1.
/// Source      Chen et al. 2019, Residual Flows, appendix D, equation (17).
class CF_EXPORT NormOrders final : public PointwiseLayer, public LowerableNet {
 public:
  /// Fixed orders, in [1, infinity].
  NormOrders(int64_t features, std::vector<double> orders);
  /// Learned ones.
  static std::shared_ptr<NormOrders> learned(int64_t features, int64_t count, bool shared);

  /// p_node; counted around the net, so that node L is node 0.
  double order(int64_t node) const;
  bool learnable() const { return raw_.defined(); }
  /// Adds  dL/dp_node  to the gradient of its parameter; learnable() only.
  void add_gradient(int64_t node, double by_order, GradientMap& gradients) const;
  /// The same as numbers: the parameter, the place of the node's in it, and d p_node / d parameter.
  const at::Tensor& raw() const { return raw_; }
  int64_t place(int64_t node) const;
  double chain(int64_t node) const;

  int64_t inputs() const override { return features_; }
  int64_t outputs() const override { return features_; }
  double lipschitz() const override { return 1.0; }
  double curvature() const override { return 0.0; }
  void bind(Tape& tape, const at::Tensor& condition) const override;
  at::Tensor value(const Tape& tape, const at::Tensor& a) const override;
  at::Tensor record(Tape& tape, const at::Tensor& a) const override;
  at::Tensor jvp(Tape& tape, const at::Tensor& t, bool keep) const override;
  at::Tensor vjp(const Tape& tape, const at::Tensor& u) const override;
  Dual dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                    at::Tensor& condition_gradient) const override;
  const LowerableNet* lowerable() const override { return this; }
  bool lower(NetLowering& /*to*/) const override { return true; }

 private:
  NormOrders(int64_t features, int64_t count, bool shared);

  int64_t features_;
  int64_t count_;
  std::vector<double> fixed_;
  at::Tensor raw_;  // [count] or [1]
};

}  // namespace contraflow
