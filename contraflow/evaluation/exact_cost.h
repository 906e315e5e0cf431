#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/log_det/jacobian_cost.h"

namespace contraflow {

/// Contractive blocks in a row whose events have one shape: a scale of a model of images.
struct ScaleFacts {
  std::vector<int64_t> event;  ///< [channels, height, width], or [features].
  int64_t blocks = 0;
  int64_t parameters = 0;      ///< Of the blocks.
  int64_t radius = 0;          ///< Pixels that a block reads to each side, the largest.
  bool has_radius = false;     ///< False: a block reads the whole event.
  JacobianCost cost = {};      ///< Of one block, the largest.
  int64_t decompositions = 0;  ///< LU of all blocks: a block of two matrices takes two.
};

/// The scales in the order data -> latent; empty for a flow without contractive blocks.
CF_EXPORT std::vector<ScaleFacts> scale_facts(const Flow& flow);

/// What exact log-determinants of a flow take, whatever its estimator is.
struct ExactCost {
  int64_t blocks = 0;
  int64_t features = 0;       ///< d of the largest Jacobian.
  int64_t products = 0;       ///< Of all blocks together.
  int64_t bytes_per_row = 0;  ///< At once, in the block that takes the most.
  double operations = 0.0;    ///< Of the LU decompositions of one row.
};
CF_EXPORT ExactCost exact_cost(const Flow& flow);
CF_EXPORT ExactCost exact_cost(const std::vector<ScaleFacts>& scales, int64_t bytes_per_number);

/// Whether some block's log-determinant is exact in evaluation, and of more than two features.
CF_EXPORT bool evaluates_exactly(const Flow& flow);

}  // namespace contraflow
