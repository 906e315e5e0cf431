#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/options_constraint.h"
#include "contraflow/core/options_detail.h"
#include "contraflow/core/options_write.h"

namespace contraflow {

/// Options: a plain struct with defaults, and one field list that gives JSON, TOML, --set and help.
///
///   struct AdamOptions {
///     double learning_rate = 1e-3;
///     Schedule schedule = Schedule::kConstant;
///   };
///   template <class Field>
///   void visit(AdamOptions& o, Field&& field) {
///     field("learning_rate", o.learning_rate, positive(), "Step size.");
///     field("schedule", o.schedule, "How the rate changes over the run.");
///   }
///   void validate(const AdamOptions& o);  // optional: throws ConfigError on contradictions
///
/// Types      bool, integers, double, std::string, EventShape (a number or a list), enums with
///            enum_names(), structs with a field list, std::optional (null or "none" = unset),
///            std::vector, nlohmann::ordered_json (free form), and std::variant of
///            default-constructible structs, each with
///            `static constexpr const char* kKind`: {"kind": "exact", ...} or just "exact".
/// Numbers    an integer field takes 5000, 5e3 and 5000.0, not 5000.5; a number field takes
///            integers. NaN and infinity are errors; "no limit" is an empty optional.
/// Variants   without "kind" the keys go to the alternative that is the default; in a list "kind"
///            is required.
/// Throws     ConfigError: unknown key (with the nearest match), wrong type, out of range; the text
///            holds the dotted path. Whatever validate() throws.
/// Threads    no shared state.

/// Every field with its resolved value, in the order of the list.
template <class T, class Result = nlohmann::ordered_json>  // Result: complete only where it is used
Result options_to_json(const T& options) {
  T copy = options;
  detail::JsonBuilder builder("options_to_json");
  builder.write_value(copy);
  Result out;
  builder.move_to(out);
  return out;
}

/// Reads `json` over `options`: a key that is absent leaves its field as it is. On an error
/// `options` is unchanged.
template <class T>
void update_options(T& options, const nlohmann::ordered_json& json, std::string_view where) {
  T updated = options;
  detail::read_value(updated, json, detail::Place{std::string(where), ""}, Constraint{});
  options = std::move(updated);
}

/// Defaults overlaid with `json`.
template <class T>
T options_from_json(const nlohmann::ordered_json& json, std::string_view where) {
  T options{};
  update_options(options, json, where);
  return options;
}

/// Ranges and validate() for options that were filled in from C++.
template <class T, class Json = nlohmann::ordered_json>
void check_options(const T& options, std::string_view where) {
  T copy = options;
  detail::JsonBuilder builder(where);
  builder.write_value(copy);
  Json json;
  builder.move_to(json);
  update_options(copy, json, where);
}

/// The options, once check_options() has seen them: for member initialisers.
template <class T>
T checked(T options, std::string_view where) {
  check_options(options, where);
  return options;
}

/// One row per field, nested ones with dotted paths; defaults are those of `defaults`.
template <class T>
std::vector<OptionInfo> describe_options(const T& defaults = T{}) {
  T copy = defaults;
  detail::Describer describer;
  detail::visit_fields(copy, describer);
  return describer.take();
}

/// The rows as an aligned text table, for --help.
CF_EXPORT std::string options_help(const std::vector<OptionInfo>& rows);
/// The rows as a Markdown table, for docs.
CF_EXPORT std::string options_markdown(const std::vector<OptionInfo>& rows);

}  // namespace contraflow
