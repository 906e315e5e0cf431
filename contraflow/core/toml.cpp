#include "contraflow/core/toml.h"

#include <c10/util/StringUtil.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace contraflow {
namespace {

/// The TOML library's own check failed: toml++ 3.3 takes for granted that a key begins after "[".
struct TomlDoubt {};
[[noreturn]] void throw_toml_doubt() { throw TomlDoubt(); }

}  // namespace
}  // namespace contraflow

// Compiled in here, so that whoever links contraflow needs no TOML library. With NDEBUG it would hand its checks to
// the optimiser as facts, and a damaged file would do anything; without, it would end the program.
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ASSERT(expr) ((expr) ? static_cast<void>(0) : ::contraflow::throw_toml_doubt())
#pragma push_macro("NDEBUG")
#undef NDEBUG
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

#include "contraflow/core/error.h"
#include "contraflow/core/json.h"
#include "contraflow/core/text.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kBareKey =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

std::string position(const toml::source_region& source) {
  return "line " + std::to_string(source.begin.line) + ", column " +
         std::to_string(source.begin.column);
}

Json from_toml(const toml::node& node, std::string_view source_name);

Json from_table(const toml::table& table, std::string_view source_name) {
  std::vector<std::pair<std::string, const toml::node*>> entries;
  for (const auto& [key, value] : table) entries.emplace_back(std::string(key.str()), &value);
  // toml++ sorts by name; people expect the order of the file.
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    const auto& [line_a, column_a] = a.second->source().begin;
    const auto& [line_b, column_b] = b.second->source().begin;
    return std::pair(line_a, column_a) < std::pair(line_b, column_b);
  });
  Json out = Json::object();
  for (const auto& [key, value] : entries) out[key] = from_toml(*value, source_name);
  return out;
}

Json from_toml(const toml::node& node, std::string_view source_name) {
  if (const auto* table = node.as_table()) return from_table(*table, source_name);
  if (const auto* array = node.as_array()) {
    Json out = Json::array();
    for (const toml::node& element : *array) out.push_back(from_toml(element, source_name));
    return out;
  }
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* value = node.as_integer()) return value->get();
  if (const auto* value = node.as_floating_point()) return value->get();
  if (const auto* value = node.as_boolean()) return value->get();
  fail<ConfigError>(source_name, position(node.source()), "text, a number, true, false or a list",
                    "a date or time", "Put it in quotes.");
}

// ------------------------------------------------------------------------------------ writing

std::string quoted_text(std::string_view text) { return json_text(Json(std::string(text))); }

std::string key_text(const std::string& key) {
  const bool bare = !key.empty() && key.find_first_not_of(kBareKey) == std::string::npos;
  return bare ? key : quoted_text(key);
}

std::string inline_text(const Json& value) {
  std::vector<std::string> parts;
  if (value.is_array()) {
    for (const Json& element : value) parts.push_back(inline_text(element));
    return c10::str("[", join(parts, ", "), "]");
  }
  if (value.is_object()) {
    for (const auto& [key, element] : value.items()) {
      parts.push_back(key_text(key) + " = " + inline_text(element));
    }
    return c10::str("{", join(parts, ", "), "}");
  }
  if (value.is_null()) return "\"none\"";
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    return std::isnan(value.get<double>()) ? "nan" : value.get<double>() > 0 ? "inf" : "-inf";
  }
  return json_text(value);
}

void write_table(const Json& table, const std::string& path, std::string& out) {
  // A sub-table ends its parent's section, so the plain values come first.
  for (const auto& [key, value] : table.items()) {
    if (!value.is_object()) out += key_text(key) + " = " + inline_text(value) + "\n";
  }
  for (const auto& [key, value] : table.items()) {
    if (!value.is_object()) continue;
    const std::string child = (path.empty() ? "" : path + ".") + key_text(key);
    out += c10::str(out.empty() ? "[" : "\n[", child, "]\n");
    write_table(value, child, out);
  }
}

// --------------------------------------------------------------------------------- assignments

std::vector<std::string> split_path(std::string_view path, std::string_view assignment) {
  std::vector<std::string> keys;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    keys.emplace_back(path.substr(begin, end - begin));
    if (keys.back().empty()) {
      fail<ConfigError>("--set", "assignment", "key.path=value", shorten(assignment),
                        "Write for example training.steps=500.");
    }
    begin = end + 1;
  }
  return keys;
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Json assignment_value(std::string_view text, const std::string& path) {
  const bool one_line = text.find('\n') == std::string_view::npos;
  try {
    if (one_line) return parse_toml(c10::str("value = ", text), "--set").at("value");
  } catch (const ConfigError& error) {
    // What begins like a list, table or quoted text was meant as one.
    if (!text.empty() && std::string_view("[{\"'").find(text.front()) != std::string_view::npos) {
      fail<ConfigError>("--set", path, "a TOML value", shorten(text),
                        "Close the quotes and brackets, and quote text inside lists.");
    }
  }
  return std::string(text);
}

// A table's first line whose name does not begin like one: "[[[", "[=]".
bool is_broken_header(std::string_view line) {
  line = trim(line);
  if (!line.starts_with('[')) return false;
  line.remove_prefix(line.starts_with("[[") ? 2 : 1);
  line = trim(line);
  return line.empty() || (kBareKey.find(line.front()) == kBareKey.npos && line.front() != '"' &&
                          line.front() != '\'');
}

std::string place_of_broken_header(std::string_view text) {
  for (int64_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (is_broken_header(line)) return "line " + std::to_string(number);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return "text";
}

}  // namespace

Json parse_toml(std::string_view text, std::string_view source_name) {
  try {
    return from_table(toml::parse(text), source_name);
  } catch (const toml::parse_error& error) {
    fail<ConfigError>(source_name, position(error.source()), "TOML",
                      "a syntax error (" + shorten(error.description(), 160) + ")",
                      "Correct that line; text needs quotes, and each key may appear once.");
  } catch (const TomlDoubt&) {
    fail<ConfigError>(source_name, place_of_broken_header(text), "TOML",
                      "the name of a table that does not begin like one",
                      "Names of tables are words, as in [training].");
  }
}

std::string to_toml(const Json& object) {
  std::string out;
  write_table(object, "", out);
  return out;
}

void apply_assignment(Json& object, std::string_view assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos) {
    fail<ConfigError>("--set", "assignment", "key.path=value", shorten(assignment),
                      "Put '=' between the key and its value.");
  }
  const std::string path(trim(assignment.substr(0, equals)));
  const std::vector<std::string> keys = split_path(path, assignment);
  Json value = assignment_value(trim(assignment.substr(equals + 1)), path);
  Json* node = &object;
  for (const std::string& key : keys) {
    // Another kind has other keys; those of the old one would only be unknown to it.
    const bool last = &key == &keys.back();
    if (last && key == "kind" && node->contains("kind") && (*node)["kind"] != value) {
      *node = Json::object();
    }
    if (node->is_null()) *node = Json::object();
    if (node->is_string()) *node = Json{{"kind", node->get<std::string>()}};
    if (!node->is_object()) {
      fail<ConfigError>("--set", path, "a path through tables",
                        "a plain value before '" + shorten(key) + "'",
                        "Set that value itself, or shorten the path.");
    }
    node = &(*node)[key];
  }
  *node = std::move(value);
}

}  // namespace contraflow
