#pragma once

#include "contraflow/core/export.h"
#include "contraflow/log_det/log_det.h"

namespace contraflow {

/// The exact branch of estimate_log_det().
CF_EXPORT LogDetEstimate exact_log_det(const BlockForm& form, const NetPoint& point,
                                       bool with_gradient);

/// Solves  (p I + q J)^T z = rhs  for each row, J [b, d, d], rhs [b, d].
CF_EXPORT at::Tensor solve_transposed(const at::Tensor& jac, double p, double q,
                                      const at::Tensor& rhs);

}  // namespace contraflow
