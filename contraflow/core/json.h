#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "contraflow/core/export.h"

namespace contraflow {

/// JSON that comes from outside: duplicate keys, more than 64 levels of nesting and text after the
/// end are errors. Throws ConfigError with `source_name`, line and column.
CF_EXPORT nlohmann::ordered_json parse_json(std::string_view text, std::string_view source_name);

/// JSON of our own files, which may be cut short: a discarded value, which is neither null nor any other
/// kind, where the text is none.
CF_EXPORT nlohmann::ordered_json try_parse_json(std::string_view text);

/// Compact text (indent < 0) or indented; bytes that are not UTF-8 are replaced, never thrown on.
CF_EXPORT std::string json_text(const nlohmann::ordered_json& value, int indent = -1);

/// A number for JSON: null where it is not finite, which JSON cannot hold.
CF_EXPORT nlohmann::ordered_json json_number(double value);

}  // namespace contraflow
