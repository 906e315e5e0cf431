#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/json.h"
#include "contraflow/core/options.h"
#include "contraflow/core/text.h"
#include "contraflow/core/unknown_name.h"

namespace contraflow {

/// One buildable type: how JSON options become an object, and what to tell a reader about it.
template <class Product>
struct RegistryEntry {
  using Json = nlohmann::ordered_json;
  std::string name;     ///< Value of "type".
  std::string summary;  ///< One line for lists and docs.
  std::string source;   ///< Paper; empty when there is none.
  /// Builds from options (without "type"); `where` starts every message.
  std::function<std::shared_ptr<Product>(const Json& options, std::string_view where)> make;
  /// The options with every default filled in.
  std::function<Json(const Json& options, std::string_view where)> resolve;
  std::function<std::vector<OptionInfo>()> describe;
};

/// Fills an entry for type T, which is built from its T::Options and named T::kType. A composite
/// that is built from other objects gets no make; its entry sets make and resolve itself.
template <class T, class Product>
void fill_entry(RegistryEntry<Product>& entry) {
  using Options = typename T::Options;
  entry.name = T::kType;
  entry.summary = T::kSummary;
  entry.source = T::kSource;
  if constexpr (std::is_constructible_v<T, Options>) {
    entry.make = [](const nlohmann::ordered_json& json, std::string_view where) {
      const auto options = options_from_json<Options>(json, where);
      check_options(options, where);  // a required field that was left out
      return std::static_pointer_cast<Product>(std::make_shared<T>(options));
    };
  }
  entry.resolve = [](const nlohmann::ordered_json& json, std::string_view where) {
    return options_to_json(options_from_json<Options>(json, where));
  };
  entry.describe = [] { return describe_options<Options>(); };
}

/// The entry that {"type": ...} names. Throws ConfigError: not a table, no type, or an unknown type
/// (with the nearest match, and the list or the command `list` that shows it).
template <class Entry>
const Entry& find_entry(const std::vector<Entry>& registry, const nlohmann::ordered_json& spec,
                        std::string_view where, std::string_view list) {
  if (!spec.is_object() || !spec.contains("type") || !spec["type"].is_string()) {
    fail<ConfigError>(where, "type", "a table with a text \"type\"", shorten(json_text(spec)),
                      "Write for example {\"type\": \"" + registry.front().name + "\"}.");
  }
  const auto type = spec["type"].template get<std::string>();
  std::vector<std::string> names;
  for (const Entry& entry : registry) {
    if (entry.name == type) return entry;
    names.push_back(entry.name);
  }
  const UnknownName unknown = unknown_name(type, names, list);
  fail<ConfigError>(where, "type", unknown.expected, "'" + type + "'", unknown.remedy);
}

/// `spec` without its "type".
inline nlohmann::ordered_json options_of(const nlohmann::ordered_json& spec) {
  nlohmann::ordered_json out = spec;
  out.erase("type");
  return out;
}

/// {"type": name, ...options}.
inline nlohmann::ordered_json with_type(std::string_view name,
                                        const nlohmann::ordered_json& options) {
  nlohmann::ordered_json out{{"type", name}};
  out.update(options);
  return out;
}

/// What the factory builds a T from: its T::kType and all of its options.
template <class T>
nlohmann::ordered_json spec_of(const typename T::Options& options) {
  return with_type(T::kType, options_to_json(options));
}

}  // namespace contraflow
