#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/log_det/calibration.h"
#include "contraflow/transforms/contractive_map.h"

namespace contraflow {

/// One contractive block of a flow, wherever it is nested.
struct ContractiveBlockRef {
  std::string name;  ///< "block 1" is the first, counted from the data.
  std::string path;  ///< Dotted path within the flow's transform: "3", "2.inner.0".
  const ContractiveMap* map = nullptr;  ///< Lives as long as the flow.
};

/// All of them, in the order data -> latent.
CF_EXPORT std::vector<ContractiveBlockRef> contractive_blocks(const Flow& flow);

/// The roulette in force in one block and phase, in numbers for a reader.
struct BlockLaw {
  std::string block;  ///< "block 3"
  Phase phase = Phase::kTrain;
  RouletteLaw law = RouletteLaw::kGeometric;
  TermLaw terms = {};
  double expected_terms = 0.0;
  double expected_passes = 0.0;  ///< Network passes of a row, those without a term included.
  bool calibrated = false;
  double gain = 0.0;  ///< Calibrated: cost x variance of geometric(.5) + 2 over this law's.
};

/// Every block whose phase uses roulette, training first.
CF_EXPORT std::vector<BlockLaw> block_laws(const Flow& flow);

/// The matrix of one block: x = A w + B G(w), y = C w + D G(w).
struct BlockMatrix {
  std::string block;
  std::string form = {};  ///< Where a learned matrix started.
  bool learned = false;
  BlockForm matrix = {};
};

/// The matrices of all blocks, in order.
CF_EXPORT std::vector<BlockMatrix> block_matrices(const Flow& flow);

}  // namespace contraflow
