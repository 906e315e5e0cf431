#include "contraflow/core/options.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/core/json.h"
#include "contraflow/core/text.h"

namespace contraflow {
namespace {

std::string number_text(double value) {
  const auto whole = static_cast<int64_t>(std::clamp(value, -1e15, 1e15));
  return static_cast<double>(whole) == value ? std::to_string(whole) : detail::Json(value).dump();
}

}  // namespace

// ------------------------------------------------------------------------------- constraints

bool Constraint::admits(double value) const {
  const bool above = low_open ? value > low : value >= low;
  const bool below = high_open ? value < high : value <= high;
  return above && below;
}

std::string Constraint::text() const {
  const bool has_low = std::isfinite(low);
  const bool has_high = std::isfinite(high);
  std::string out;
  if (has_low && has_high) {
    out = std::string("in ") + (low_open ? "(" : "[") + number_text(low) + ", " +
          number_text(high) + (high_open ? ")" : "]");
  } else if (has_low) {
    out = (low_open ? "> " : ">= ") + number_text(low);
  } else if (has_high) {
    out = (high_open ? "< " : "<= ") + number_text(high);
  }
  if (need_content) out += out.empty() ? "not empty" : ", not empty";
  return out;
}

Constraint positive() { return {.low = 0.0, .low_open = true}; }
Constraint non_negative() { return {.low = 0.0}; }
Constraint at_least(double low) { return {.low = low}; }
Constraint at_most(double high) { return {.high = high}; }
Constraint open_interval(double low, double high) {
  return {.low = low, .high = high, .low_open = true, .high_open = true};
}
Constraint closed_interval(double low, double high) { return {.low = low, .high = high}; }
Constraint half_open_interval(double low, double high) {
  return {.low = low, .high = high, .high_open = true};
}
Constraint left_open_interval(double low, double high) {
  return {.low = low, .high = high, .low_open = true};
}
Constraint non_empty() { return {.need_content = true}; }

Constraint operator&&(const Constraint& a, const Constraint& b) {
  Constraint both = a.low > b.low ? a : b;
  if (a.low == b.low) both.low_open = a.low_open || b.low_open;
  both.high = std::min(a.high, b.high);
  both.high_open = (a.high <= b.high && a.high_open) || (b.high <= a.high && b.high_open);
  both.need_content = a.need_content || b.need_content;
  return both;
}

// ----------------------------------------------------------------------------------- reading

namespace detail {
namespace {

[[noreturn]] void refuse(const Place& place, const std::string& expected, const std::string& got,
                         const std::string& remedy) {
  fail<ConfigError>(place.where, place.path.empty() ? "options" : place.path, expected, got,
                    remedy);
}

std::string describe_value(const Json& node) {
  if (node.is_object()) return "a table";
  if (node.is_null()) return "null";
  return shorten(json_text(node));
}

std::string with_range(const std::string& type, const Constraint& constraint) {
  const std::string range = constraint.text();
  return range.empty() ? type : type + " " + range;
}

void check_range(double value, const std::string& type, const Json& node, const Place& place,
                 const Constraint& constraint) {
  if (constraint.admits(value)) return;
  refuse(place, with_range(type, constraint), describe_value(node),
         "Choose a value in that range.");
}

std::string suggestion(std::string_view word, const std::vector<std::string>& names) {
  if (const auto near = nearest_match(word, names)) return "Did you mean '" + *near + "'?";
  return names.empty() ? "There is nothing to set here." : "Known: " + join(names, ", ") + ".";
}

}  // namespace

Place Place::child(std::string_view name) const {
  return {where, (path.empty() ? "" : path + ".") + std::string(name)};
}

Place Place::item(size_t index) const { return {where, path + "[" + std::to_string(index) + "]"}; }

bool read_bool(const Json& node, const Place& place) {
  if (!node.is_boolean()) {
    refuse(place, "true or false", describe_value(node), "Write true or false, without quotes.");
  }
  return node.get<bool>();
}

int64_t read_integer(const Json& node, const Place& place, const Constraint& constraint) {
  const std::string expected = with_range("an integer", constraint);
  constexpr double kExact = 9007199254740992.0;  // 2^53: above it a double skips integers.
  int64_t value = 0;
  if (node.is_number_unsigned() && !std::in_range<int64_t>(node.get<uint64_t>())) {
    refuse(place, expected, describe_value(node), "Integers end at 9223372036854775807.");
  } else if (node.is_number_integer()) {
    value = node.get<int64_t>();
  } else if (node.is_number_float() && std::trunc(node.get<double>()) == node.get<double>() &&
             std::abs(node.get<double>()) <= kExact) {
    value = static_cast<int64_t>(node.get<double>());
  } else {
    refuse(place, expected, describe_value(node),
           node.is_string() ? "Write the number without quotes." : "Give a whole number.");
  }
  check_range(static_cast<double>(value), "an integer", node, place, constraint);
  return value;
}

void fail_integer_range(int64_t value, const Place& place, size_t bytes) {
  refuse(place, "an integer that fits in " + std::to_string(8 * bytes) + " bits",
         std::to_string(value), "Choose a value in that range.");
}

double read_number(const Json& node, const Place& place, const Constraint& constraint) {
  if (!node.is_number()) {
    refuse(place, with_range("a number", constraint), describe_value(node),
           node.is_string() ? "Write the number without quotes." : "Give a number.");
  }
  const auto value = node.get<double>();
  if (!std::isfinite(value)) {
    refuse(place, with_range("a finite number", constraint),
           std::isnan(value) ? "nan"
           : value > 0       ? "inf"
                             : "-inf",
           "Give a finite number.");
  }
  check_range(value, "a number", node, place, constraint);
  return value;
}

std::string read_text(const Json& node, const Place& place, const Constraint& constraint) {
  if (!node.is_string()) {
    refuse(place, with_range("text", constraint), describe_value(node), "Put the text in quotes.");
  }
  if (constraint.need_content && node.get_ref<const std::string&>().empty()) {
    refuse(place, "text that is not empty", "\"\"", "Fill it in, or leave the key out.");
  }
  return node.get<std::string>();
}

EventShape read_event_shape(const Json& node, const Place& place, const Constraint& constraint) {
  const Constraint sizes{.low = 0.0};
  EventShape shape;
  if (node.is_array()) {
    std::vector<int64_t> list;
    for (size_t k = 0; k < node.size(); ++k)
      list.push_back(read_integer(node[k], place.item(k), at_least(1)));
    shape = std::move(list);
  } else {
    shape = read_integer(node, place, sizes);
  }
  if (constraint.need_content && shape.empty()) {
    refuse(place, "an event shape", describe_value(node),
           "Write the number of features, or [channels, height, width].");
  }
  return shape;
}

size_t read_choice(const Json& node, const Place& place, const std::vector<std::string>& names) {
  if (node.is_string()) {
    const auto found = std::find(names.begin(), names.end(), node.get_ref<const std::string&>());
    if (found != names.end()) return static_cast<size_t>(found - names.begin());
  }
  const std::string word = node.is_string() ? node.get<std::string>() : "";
  const auto near = nearest_match(word, names);
  refuse(place, "one of " + join(names, ", "), describe_value(node),
         near ? "Did you mean '" + *near + "'?" : "Choose one of these names.");
}

bool is_unset(const Json& node) {
  return node.is_null() || (node.is_string() && node.get_ref<const std::string&>() == "none");
}

size_t list_size(const Json& node, const Place& place, const Constraint& constraint) {
  if (!node.is_array()) {
    refuse(place, "a list", describe_value(node), "Put the values in brackets: [a, b].");
  }
  if (constraint.need_content && node.empty()) {
    refuse(place, "a list that is not empty", "[]", "Give at least one value.");
  }
  return node.size();
}

const Json& list_item(const Json& node, size_t index) { return node[index]; }

void copy_json(const Json& node, Json& value) { value = is_unset(node) ? Json() : node; }

size_t read_kind(const Json& node, const Place& place, const std::vector<std::string>& kinds,
                 std::optional<size_t> current) {
  if (node.is_string()) return read_choice(node, place, kinds);
  if (!node.is_object()) {
    refuse(place, "a table with \"kind\", or the kind alone", describe_value(node),
           "Kinds: " + join(kinds, ", ") + ".");
  }
  if (const auto kind = node.find("kind"); kind != node.end()) {
    return read_choice(*kind, place.child("kind"), kinds);
  }
  if (!current) {
    refuse(place.child("kind"), "one of " + join(kinds, ", "), "nothing", "Add the key 'kind'.");
  }
  return *current;
}

ObjectReader::ObjectReader(const Json& node, Place place, std::string_view kind)
    : node_(&node), place_(std::move(place)), kind_(kind) {
  if (!kind_.empty()) known_.emplace_back("kind");
  if (node.is_object() || (!kind_.empty() && node.is_string())) return;
  refuse(place_, "a table", describe_value(node), "Give key = value pairs.");
}

const Json* ObjectReader::find(std::string_view name) {
  known_.emplace_back(name);
  if (!node_->is_object()) return nullptr;
  const auto found = node_->find(known_.back());
  return found == node_->end() ? nullptr : &*found;
}

void ObjectReader::finish() const {
  if (!node_->is_object()) return;
  const std::string expected =
      kind_.empty() ? "a known key" : "a known key of kind '" + kind_ + "'";
  for (const auto& [key, value] : node_->items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    refuse(place_.child(shorten(key)), expected, "an unknown one", suggestion(key, known_));
  }
}

// ----------------------------------------------------------------------------------- writing

struct JsonBuilder::State {
  struct Level {
    Json value;
    std::string key;
  };
  std::string where;
  std::vector<Level> open;
  Json root;

  void put(Json value) {
    if (open.empty()) {
      root = std::move(value);
    } else if (open.back().value.is_array()) {
      open.back().value.push_back(std::move(value));
    } else {
      open.back().value[open.back().key] = std::move(value);
    }
  }
  std::string path() const {
    std::string out;
    for (const Level& level : open) {
      if (level.value.is_array()) {
        out += "[" + std::to_string(level.value.size()) + "]";
      } else {
        out += (out.empty() ? "" : ".") + level.key;
      }
    }
    return out.empty() ? "options" : out;
  }
};

JsonBuilder::JsonBuilder(std::string_view where) : state_(std::make_unique<State>()) {
  state_->where = where;
}
JsonBuilder::~JsonBuilder() = default;

void JsonBuilder::open_object() { state_->open.push_back({Json::object(), ""}); }
void JsonBuilder::open_list() { state_->open.push_back({Json::array(), ""}); }
void JsonBuilder::close() {
  Json value = std::move(state_->open.back().value);
  state_->open.pop_back();
  state_->put(std::move(value));
}
void JsonBuilder::key(std::string_view name) { state_->open.back().key = name; }
void JsonBuilder::null() { state_->put(nullptr); }
void JsonBuilder::boolean(bool value) { state_->put(value); }
void JsonBuilder::integer(int64_t value) { state_->put(value); }
void JsonBuilder::text(std::string_view value) { state_->put(std::string(value)); }
void JsonBuilder::json(const Json& value) { state_->put(value); }
void JsonBuilder::event_shape(const EventShape& value) {
  if (value.empty()) return integer(0);
  if (value.is_row()) return integer(value.features());
  state_->put(value.sizes());
}
void JsonBuilder::move_to(Json& out) { out = std::move(state_->root); }

void JsonBuilder::number(double value) {
  if (!std::isfinite(value)) {
    fail<ConfigError>(state_->where, state_->path(), "a finite number", std::to_string(value),
                      "Set it to a finite value.");
  }
  state_->put(value);
}

void JsonBuilder::choice(std::string_view name) {
  if (name.empty()) {
    fail<ConfigError>(state_->where, state_->path(), "a named value of the enum", "another value",
                      "Use one of the enumerators.");
  }
  text(name);
}

// -------------------------------------------------------------------------------- describing

void Describer::add_row(std::string type, JsonBuilder& default_value, const Constraint& constraint,
                        std::string_view help) {
  Json value;
  default_value.move_to(value);
  const bool has_kind = value.is_object() && value.contains("kind");
  std::string text = has_kind ? value["kind"].get<std::string>() : json_text(value);
  if (value.is_null()) text = "none";
  if (value.is_string()) {
    const std::string& plain = value.get_ref<const std::string&>();
    text = plain.empty() ? "\"\"" : plain;
  }
  rows_.push_back(
      {path_, std::move(type), std::move(text), constraint.text(), std::string(help), condition_});
}

}  // namespace detail

namespace {

TextTable options_table(const std::vector<OptionInfo>& rows) {
  TextTable table({"option", "type", "default", "range", "meaning"});
  for (const OptionInfo& row : rows) {
    const std::string when = row.condition.empty() ? "" : " (only for " + row.condition + ")";
    table.add_row({row.path, row.type, row.default_value, row.range, row.help + when});
  }
  return table;
}

}  // namespace

std::string options_help(const std::vector<OptionInfo>& rows) { return options_table(rows).str(); }

std::string options_markdown(const std::vector<OptionInfo>& rows) {
  return options_table(rows).markdown();
}

}  // namespace contraflow
