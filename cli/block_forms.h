#pragma once

#include <nlohmann/json.hpp>

#include "contraflow/distributions/flow.h"

namespace contraflow::cli {

/// The matrix of every contractive block of the flow's chain, in order: block, form (where a
/// learned one started), learned, matrix [A, B, C, D].
nlohmann::ordered_json block_forms_json(const Flow& flow);
/// A table of them; empty unless some block's matrix is learned.
std::string block_forms_text(const Flow& flow);

}  // namespace contraflow::cli
