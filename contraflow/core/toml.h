#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "contraflow/core/export.h"

namespace contraflow {

/// TOML 1.0 to JSON, keys in the order of the file. Throws ConfigError with `source_name`, line,
/// column and a remedy; dates and times are refused, as no option is one.
CF_EXPORT nlohmann::ordered_json parse_toml(std::string_view text, std::string_view source_name);

/// JSON object to TOML that parse_toml() reads back to the same values. TOML has no null: it is
/// written as "none", which optional fields read as unset.
CF_EXPORT std::string to_toml(const nlohmann::ordered_json& object);

/// Sets one value by its dotted path: `training.steps=500`, `hidden=[64, 64]`, `log_det=exact`.
/// The value is read as TOML; what is not TOML is taken as text. Missing tables on the way are
/// created, a kind given as text becomes a table with that kind, and changing the "kind" of a table
/// drops the keys of the old kind. Throws ConfigError.
CF_EXPORT void apply_assignment(nlohmann::ordered_json& object, std::string_view assignment);

}  // namespace contraflow
