#pragma once

#include <string>

#include "contraflow/core/export.h"
#include "contraflow/log_det/block_form.h"
#include "contraflow/log_det/options.h"

namespace contraflow {

/// What a log-determinant estimator costs and whether its variance is finite, for a block with
/// Lip(G) <= kappa.
struct EstimatorFacts {
  std::string kind = {};
  double expected_terms = 0.0;  ///< Of the series, per row; 0 for the exact one.
  bool unbiased = true;
  /// Guaranteed by kappa: the squared tails shrink faster than the survival probabilities.
  bool finite_variance = true;
  std::string remark = {};  ///< One line for a reader.
};

CF_EXPORT EstimatorFacts estimator_facts(const LogDetOptions& options, const BlockForm& form,
                                         double kappa);

}  // namespace contraflow
