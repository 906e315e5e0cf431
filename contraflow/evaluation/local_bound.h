#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "contraflow/evaluation/leaf_call.h"
#include "contraflow/transforms/contractive_map.h"

namespace contraflow {

/// What is proven of the network G of a block, in Euclidean norms.
struct ProvenNet {
  double lipschitz = 1.0;  ///< At least 1: nothing.
  double curvature = 0.0;  ///< |J(w) - J(w')| <= curvature |w - w'|; infinite: nothing.
};
using ProvenNets = std::map<const ContractiveMap*, ProvenNet>;

/// A bound on how far a round trip ends from where it started, row by row.
struct LocalBound {
  at::Tensor bound;       ///< [B]; infinite where there is none.
  std::string unbounded;  ///< The leaf whose way back has no constant; empty: none.
};

/// The way there by calls [first, end) of `there`, x -> z, and the way back by as many of `back`. It
/// starts `apart` [B] from z. The bound holds for the distance of the two ends as well as for that of
/// each from the exact preimage of the point that the way back starts from.
///
/// Each leaf's way back counts with its largest slope near the point where it is taken, not with that
/// of all points: docs/decisions/0019-local-bounds.md.
LocalBound local_bound(const std::vector<LeafCall>& there, size_t first,
                       const std::vector<LeafCall>& back, const at::Tensor& apart,
                       const ProvenNets& nets);

}  // namespace contraflow
