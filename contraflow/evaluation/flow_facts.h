#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/evaluation/estimator_facts.h"

namespace contraflow {

/// Neighbours of one kind in a flow, such as ten monotone blocks.
struct FlowPart {
  std::string type;  ///< "actnorm", "monotone block", "learned residual block".
  int64_t count = 0;
  int64_t parameters = 0;
};

/// What the flow is made of, in the order data -> latent, the members of composites one by one.
CF_EXPORT std::vector<FlowPart> flow_parts(const Flow& flow);

/// What the flow does to each column of a row of `dim`, in a few words ("curve of 8 knots"), for those
/// of whom there is something to say; the others are empty.
CF_EXPORT std::vector<std::string> column_notes(const Flow& flow, int64_t dim);

/// The estimators of the contractive block that is hardest for them.
struct HardestBlock {
  double kappa = 0.0;  ///< Its bound on Lip(G): the largest.
  bool proven = true;  ///< The bounds of all blocks are.
  EstimatorFacts train, evaluate;
};

/// Unset for a flow without contractive blocks.
CF_EXPORT std::optional<HardestBlock> hardest_block(const Flow& flow);

}  // namespace contraflow
