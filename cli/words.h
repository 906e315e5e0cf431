#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace contraflow::cli {

/// "lr" -> "training.adam.learning_rate": the config keys that people mean by a word from other
/// programs, such as the last part of a key; '-' counts as '_'. Keys that are not among `known` are
/// left out.
std::vector<std::string> keys_meant(std::string_view word, const std::vector<std::string>& known);

/// Refuses a key of a config that is unknown where its last part says which one is meant. Other
/// unknown keys are left to those who read the options, who know the keys beside them.
/// Throws     ConfigError.
void check_config_words(const nlohmann::ordered_json& config, const std::vector<std::string>& known,
                        const std::string& where);

/// "Did you mean 'a' or 'b'?"
std::string did_you_mean(const std::vector<std::string>& candidates);

}  // namespace contraflow::cli
