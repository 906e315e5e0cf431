#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/options.h"

/// Options with a field of every type, for the tests of options.h and toml.h.
namespace contraflow::sample {

enum class Schedule { kConstant, kCosine };
constexpr auto enum_names(Schedule) {
  return std::array{std::pair{"constant", Schedule::kConstant},
                    std::pair{"cosine", Schedule::kCosine}};
}

struct Exact {
  static constexpr const char* kKind = "exact";
};
struct Series {
  static constexpr const char* kKind = "series";
  int64_t terms = 10;
};
struct Roulette {
  static constexpr const char* kKind = "roulette";
  double rate = 0.5;
  std::optional<double> limit;
};
using LogDet = std::variant<Exact, Series, Roulette>;

struct Step {
  double rate = 1e-3;
  Schedule schedule = Schedule::kConstant;
  int64_t warm_up = 0;
};

struct Options {
  bool resume = false;
  int64_t steps = 1000;
  int32_t small = 1;
  double lipschitz = 0.98;
  std::string name = "run";
  Step step;
  std::optional<int64_t> patience;
  std::optional<double> clip = 1.0;
  std::vector<int64_t> hidden{64, 64};
  std::vector<LogDet> estimators;
  LogDet log_det = Series{.terms = 5};
  nlohmann::ordered_json extra = nlohmann::ordered_json::object();
};

template <class Field>
void visit(Series& o, Field&& field) {
  field("terms", o.terms, positive(), "Terms of the series.");
}
template <class Field>
void visit(Roulette& o, Field&& field) {
  field("rate", o.rate, open_interval(0.0, 1.0), "Chance to stop.");
  field("limit", o.limit, "Largest weight.");
}
template <class Field>
void visit(Step& o, Field&& field) {
  field("rate", o.rate, positive(), "Step size.");
  field("schedule", o.schedule, "How the rate changes.");
  field("warm_up", o.warm_up, non_negative());
}
inline void validate(const Step& o) {
  if (o.schedule == Schedule::kConstant && o.warm_up > 0) {
    fail<ConfigError>("Step", "warm_up", "0 for a constant rate", std::to_string(o.warm_up),
                      "Choose the cosine schedule.");
  }
}
template <class Field>
void visit(Options& o, Field&& field) {
  field("resume", o.resume);
  field("steps", o.steps, at_least(1), "Optimizer steps.");
  field("small", o.small);
  field("lipschitz", o.lipschitz, open_interval(0.0, 1.0), "Bound on the slope.");
  field("name", o.name, non_empty(), "Name of the run.");
  field("step", o.step, "The optimizer.");
  field("patience", o.patience, positive(), "Validations without progress.");
  field("clip", o.clip, positive());
  field("hidden", o.hidden, non_empty() && positive(), "Widths.");
  field("estimators", o.estimators);
  field("log_det", o.log_det, "Log-determinant.");
  field("extra", o.extra, "Anything.");
}

}  // namespace contraflow::sample
