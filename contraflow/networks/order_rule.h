#pragma once

#include "contraflow/networks/norm_orders.h"
#include "contraflow/networks/norm_rule.h"

namespace contraflow {

struct OrderSlopes;

/// The norm |W|_(p -> q) of a matrix, p and q the orders at nodes `node` and `node + 1` of a net's
/// NormOrders: exact for some orders, estimated for others (induced_norm.h), and moving where the
/// orders are learned.
class OrderRule final : public NormRule {
 public:
  OrderRule(std::shared_ptr<const NormOrders> orders, int64_t node, NormMethod method,
            double tolerance);

  NormInterval update(const at::Tensor& weight, NormPair& pair) const override;
  bool proven() const override;
  bool moves() const override { return true; }
  void add_gradient(const NormPair& pair, double by_log_norm,
                    GradientMap& gradients) const override;
  double input_order() const override { return orders_->order(node_); }
  double output_order() const override { return orders_->order(node_ + 1); }
  /// d log(norm) by both orders; learned orders only.
  OrderSlopes slopes(const NormPair& pair) const;

 private:
  std::shared_ptr<const NormOrders> orders_;
  int64_t node_;
  NormMethod method_;
  double tolerance_;
};

}  // namespace contraflow
