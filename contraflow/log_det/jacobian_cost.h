#pragma once

#include <cstdint>

#include "contraflow/core/export.h"
#include "contraflow/networks/contractive_net.h"

namespace contraflow {

/// What an exact log-determinant of one block takes.
struct JacobianCost {
  int64_t features = 0;  ///< d of a Jacobian [d, d].
  int64_t products = 0;  ///< With the Jacobian: one for each colour, or d.
  int64_t numbers = 0;   ///< At once for each row: products, the Jacobian, its shifted copy and LU.
};

/// That of estimate_log_det() with ExactLogDet at this point.
CF_EXPORT JacobianCost jacobian_cost(const NetPoint& point);

}  // namespace contraflow
