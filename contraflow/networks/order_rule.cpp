#include "contraflow/networks/order_rule.h"

#include "contraflow/networks/induced_norm.h"

namespace contraflow {

OrderRule::OrderRule(std::shared_ptr<const NormOrders> orders, int64_t node, NormMethod method,
                     double tolerance)
    : orders_(std::move(orders)), node_(node), method_(method), tolerance_(tolerance) {}

NormInterval OrderRule::update(const at::Tensor& weight, NormPair& pair) const {
  return update_induced_norm(weight, pair.left, pair.right, input_order(), output_order(), method_,
                             tolerance_);
}

bool OrderRule::proven() const {
  const double p = input_order(), q = output_order();
  if (orders_->learnable() || !induced_norm_is_exact(p, q)) return false;
  const bool spectral = p == 2.0 && q == 2.0;
  return !spectral || method_ != NormMethod::kEstimated;
}

OrderSlopes OrderRule::slopes(const NormPair& pair) const {
  return log_norm_slopes(pair.left, pair.right, input_order(), output_order());
}

void OrderRule::add_gradient(const NormPair& pair, double by_log_norm,
                             GradientMap& gradients) const {
  if (!orders_->learnable()) return;
  const OrderSlopes by = slopes(pair);
  orders_->add_gradient(node_, by_log_norm * by.by_input, gradients);
  orders_->add_gradient(node_ + 1, by_log_norm * by.by_output, gradients);
}

}  // namespace contraflow
