#pragma once

#include "contraflow/core/export.h"
#include "contraflow/log_det/log_det.h"

namespace contraflow {

/// The adaptive branch of estimate_log_det(): each row of the series stops after the first term
/// whose certified tail is at most options.tolerance, or after options.max_terms.
///
/// Rows       finished rows are dropped from the products once they are an eighth of the rows that
///            are computed; a row's value does not depend on its neighbours beyond the rounding of a
///            product.
/// Bias       bias_bound is the certified tail where the row stopped, above the tolerance only for
///            rows that max_terms ended, and the rounding of products of reduced precision.
CF_EXPORT LogDetEstimate adaptive_log_det(const BlockForm& form, const NetPoint& point,
                                          const LipschitzBound& kappa,
                                          const AdaptiveSeries& options, const Rng& rng,
                                          bool with_gradient);

}  // namespace contraflow
