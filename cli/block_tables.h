#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "contraflow/evaluation/block_facts.h"

namespace contraflow::cli {

/// What block_facts.h tells, as JSON and as tables for a reader.

nlohmann::ordered_json block_matrices_json(const std::vector<BlockMatrix>& blocks);
/// Empty unless some block's matrix is learned.
std::string block_matrices_text(const std::vector<BlockMatrix>& blocks);

nlohmann::ordered_json block_laws_json(const std::vector<BlockLaw>& laws);
/// Empty without laws.
std::string block_laws_text(const std::vector<BlockLaw>& laws);

}  // namespace contraflow::cli
