#include "contraflow/core/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxDepth = 64;

// What the parser cannot report by itself, found while it runs.
class Guard {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& value) {
    if (depth > kMaxDepth && !problem_) problem_ = "more than 64 levels of nesting";
    if (event == Json::parse_event_t::object_start) keys_.emplace_back();
    if (event == Json::parse_event_t::object_end) keys_.pop_back();
    if (event == Json::parse_event_t::key && !keys_.empty()) {
      const auto& key = value.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second && !problem_) {
        problem_ = "the key '" + shorten(key) + "' twice";
      }
    }
    return !problem_;
  }
  const std::optional<std::string>& problem() const { return problem_; }

 private:
  std::vector<std::set<std::string>> keys_;
  std::optional<std::string> problem_;
};

std::string position(std::string_view text, size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte == 0 ? 0 : byte - 1, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t line_start =
      before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return "line " + std::to_string(line) + ", column " +
         std::to_string(before.size() - line_start + 1);
}

}  // namespace

Json parse_json(std::string_view text, std::string_view source_name) {
  Guard guard;
  Json out;
  try {
    out = Json::parse(text, [&guard](int depth, Json::parse_event_t event, Json& value) {
      return guard(depth, event, value);
    });
  } catch (const Json::parse_error& error) {
    fail<ConfigError>(source_name, position(text, error.byte), "JSON", "a syntax error",
                      "Correct the text there (parser: " + shorten(error.what(), 160) + ").");
  }
  if (guard.problem()) {
    fail<ConfigError>(source_name, "JSON", "each key once and at most 64 levels of nesting",
                      *guard.problem(), "Correct the text.");
  }
  return out;
}

Json try_parse_json(std::string_view text) { return Json::parse(text, nullptr, false); }

std::string json_text(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

}  // namespace contraflow
