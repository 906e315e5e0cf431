#include "contraflow/log_det/jacobian_cost.h"

#include <ATen/ATen.h>

#include "contraflow/log_det/grid_jacobian.h"

namespace contraflow {

JacobianCost jacobian_cost(const NetPoint& point) {
  const std::optional<GridReach> reach = point.reach();
  const int64_t d = point.value().size(1);
  JacobianCost out{.features = d, .products = reach ? grid_products(*reach) : d};
  // The products, their copy row by row and the entries picked of it; the Jacobian, its shifted copy, and what
  // LibTorch's slogdet takes for itself. Measured at d = 784: 4.4 d^2 in all.
  out.numbers = 3 * d * out.products + 5 * d * d;
  return out;
}

}  // namespace contraflow
