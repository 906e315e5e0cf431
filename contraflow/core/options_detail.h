#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "contraflow/core/event_shape.h"
#include "contraflow/core/export.h"
#include "contraflow/core/options_constraint.h"

/// How options.h reads, writes and describes a field of each type. Nothing here is meant to be
/// called from outside; JSON is handled in the .cpp, so including this stays cheap.
namespace contraflow::detail {

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVariant : std::false_type {};
template <class... T>
struct IsVariant<std::variant<T...>> : std::true_type {};
template <class T>
constexpr bool kIsLeaf =
    std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_same_v<T, std::string> ||
    std::is_same_v<T, EventShape> || std::is_same_v<T, nlohmann::ordered_json>;
template <class T>
constexpr bool kIsStruct =
    !kIsLeaf<T> && !IsVector<T>::value && !IsOptional<T>::value && !IsVariant<T>::value;

template <class T>
concept Validated = requires(const T& options) {
  validate(options);
};

/// Adapts the three ways to write `field(...)` to one call `visitor.on_field(name, value, ...)`.
template <class Visitor>
class Field {
 public:
  explicit Field(Visitor& visitor) : visitor_(visitor) {}
  template <class T>
  void operator()(std::string_view name, T& value, const Constraint& constraint,
                  std::string_view help = {}) {
    visitor_.on_field(name, value, constraint, help);
  }
  template <class T>
  void operator()(std::string_view name, T& value, std::string_view help = {}) {
    visitor_.on_field(name, value, Constraint{}, help);
  }

 private:
  Visitor& visitor_;
};

/// Runs the type's field list; a struct without members needs none.
template <class T, class Visitor>
void visit_fields(T& options, Visitor& visitor) {
  if constexpr (!std::is_empty_v<T> || requires { visit(options, Field<Visitor>(visitor)); }) {
    visit(options, Field<Visitor>(visitor));
  }
}

/// The kinds of a variant, in order.
template <class... T>
std::vector<std::string> variant_kinds(const std::variant<T...>&) {
  return {std::string(T::kKind)...};
}

template <class E>
std::vector<std::string> enum_name_list() {
  std::vector<std::string> names;
  for (const auto& entry : enum_names(E{})) names.emplace_back(entry.first);
  return names;
}

// ---------------------------------------------------------------------------------- reading

/// Where a value stands, for messages: `where` is the file or call, `path` the dotted name.
struct CF_EXPORT Place {
  std::string where;
  std::string path;
  Place child(std::string_view name) const;
  Place item(size_t index) const;
};

using Json = nlohmann::ordered_json;

CF_EXPORT bool read_bool(const Json& node, const Place& place);
CF_EXPORT int64_t read_integer(const Json& node, const Place& place, const Constraint& constraint);
CF_EXPORT double read_number(const Json& node, const Place& place, const Constraint& constraint);
CF_EXPORT std::string read_text(const Json& node, const Place& place, const Constraint& constraint);
CF_EXPORT EventShape read_event_shape(const Json& node, const Place& place,
                                      const Constraint& constraint);
/// Index of the chosen name.
CF_EXPORT size_t read_choice(const Json& node, const Place& place,
                             const std::vector<std::string>& names);
CF_EXPORT bool is_unset(const Json& node);  ///< null or the word "none".
CF_EXPORT size_t list_size(const Json& node, const Place& place, const Constraint& constraint);
CF_EXPORT const Json& list_item(const Json& node, size_t index);
CF_EXPORT void copy_json(const Json& node, Json& value);
/// Index of the kind named by `node` ("exact" or {"kind": "exact", ...}); `current` if it names
/// none, which is an error where `current` is empty.
CF_EXPORT size_t read_kind(const Json& node, const Place& place,
                           const std::vector<std::string>& kinds, std::optional<size_t> current);
[[noreturn]] CF_EXPORT void fail_integer_range(int64_t value, const Place& place, size_t bytes);

/// One JSON object being read: remembers which keys were asked for.
class CF_EXPORT ObjectReader {
 public:
  /// `kind`: that of a variant's alternative, whose object may hold "kind" or be just that text.
  ObjectReader(const Json& node, Place place, std::string_view kind);
  const Json* find(std::string_view name);  ///< Null when the key is absent.
  void finish() const;                      ///< ConfigError if a key was never asked for.
  const Place& place() const { return place_; }

  template <class T>
  void on_field(std::string_view name, T& value, const Constraint& constraint, std::string_view);

 private:
  const Json* node_;
  Place place_;
  std::string kind_;
  std::vector<std::string> known_;
};

template <class T>
void read_struct(T& value, const Json& node, const Place& place, std::string_view kind = {}) {
  ObjectReader reader(node, place, kind);
  visit_fields(value, reader);
  reader.finish();
  if constexpr (Validated<T>) validate(std::as_const(value));
}

template <class... T>
void read_variant(std::variant<T...>& value, const Json& node, const Place& place,
                  bool kind_required) {
  using Variant = std::variant<T...>;
  static const std::array<Variant (*)(), sizeof...(T)> kMake{[] { return Variant(T{}); }...};
  const auto current = kind_required ? std::nullopt : std::optional<size_t>(value.index());
  const size_t kind = read_kind(node, place, variant_kinds(value), current);
  if (kind != value.index()) value = kMake[kind]();
  std::visit([&](auto& options) { read_struct(options, node, place, options.kKind); }, value);
}

/// Reads `node` over `value`; `value` keeps what the node does not mention.
template <class T>
void read_value(T& value, const Json& node, const Place& place, const Constraint& constraint,
                bool kind_required = false) {
  if constexpr (std::is_same_v<T, bool>) {
    value = read_bool(node, place);
  } else if constexpr (std::is_integral_v<T>) {
    const int64_t wide = read_integer(node, place, constraint);
    if (!std::in_range<T>(wide)) fail_integer_range(wide, place, sizeof(T));
    value = static_cast<T>(wide);
  } else if constexpr (std::is_same_v<T, double>) {
    value = read_number(node, place, constraint);
  } else if constexpr (std::is_same_v<T, std::string>) {
    value = read_text(node, place, constraint);
  } else if constexpr (std::is_same_v<T, EventShape>) {
    value = read_event_shape(node, place, constraint);
  } else if constexpr (std::is_enum_v<T>) {
    value = enum_names(T{})[read_choice(node, place, enum_name_list<T>())].second;
  } else if constexpr (std::is_same_v<T, Json>) {
    copy_json(node, value);
  } else if constexpr (IsOptional<T>::value) {
    if (is_unset(node)) return value.reset();
    if (!value) value.emplace();
    read_value(*value, node, place, constraint);
  } else if constexpr (IsVector<T>::value) {
    value.assign(list_size(node, place, constraint), {});
    Constraint each = constraint;
    each.need_content = false;
    for (size_t i = 0; i < value.size(); ++i) {
      read_value(value[i], list_item(node, i), place.item(i), each, true);
    }
  } else if constexpr (IsVariant<T>::value) {
    read_variant(value, node, place, kind_required);
  } else {
    static_assert(!std::is_same_v<T, float>, "options hold double, so that they print exactly");
    read_struct(value, node, place);
  }
}

template <class T>
void ObjectReader::on_field(std::string_view name, T& value, const Constraint& constraint,
                            std::string_view) {
  if (const Json* node = find(name)) read_value(value, *node, place_.child(name), constraint);
}

}  // namespace contraflow::detail
