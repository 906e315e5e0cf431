#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "contraflow/distributions/flow.h"
#include "contraflow/log_det/calibration.h"

namespace contraflow::cli {

/// The roulette in force in one block and phase, in numbers for a reader.
struct BlockLaw {
  std::string block;  ///< "block 3", counting contractive blocks from the data.
  std::string phase;  ///< "training" or "evaluation"
  RouletteLaw law = RouletteLaw::kGeometric;
  TermLaw terms = {};
  double expected_terms = 0.0;
  double expected_passes = 0.0;  ///< Network passes of a row, those without a term included.
  bool calibrated = false;
  double gain = 0.0;  ///< Calibrated: cost x variance of geometric(.5) + 2 over this law's.
};

/// Every block of the flow's chain whose phase uses roulette, training first.
std::vector<BlockLaw> block_laws(const Flow& flow);

nlohmann::ordered_json block_laws_json(const std::vector<BlockLaw>& laws);
/// A table; empty without laws.
std::string block_laws_text(const std::vector<BlockLaw>& laws);

}  // namespace contraflow::cli
