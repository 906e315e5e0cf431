#include "contraflow/training/objective_registry.h"

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/training/max_likelihood.h"

namespace contraflow {
namespace {

constexpr const char* kKey = "training.objective";

[[noreturn]] void missing(const ObjectiveEntry& entry, const char* what) {
  fail<ConfigError>("train", kKey, std::string("an objective for data without ") + what,
                    "\"" + entry.name + "\"", "Choose other data or another objective.");
}

}  // namespace

const std::vector<ObjectiveEntry>& objective_registry() {
  static const std::vector<ObjectiveEntry> registry{
      {.name = MaxLikelihood::kName,
       .summary = "The (weighted) mean of -log p(x) over rows of data.",
       .source = "",
       .use = "fit() with rows of data",
       .needs_rows = true,
       .make = [](const ObjectiveInputs& inputs,
                  const TrainingOptions& options) -> std::shared_ptr<const Objective> {
         return std::make_shared<MaxLikelihood>(inputs.flow, inputs.splits, options.init_rows);
       }},
      {.name = ReverseKl::kName,
       .summary = "KL(flow, exp(-U)/Z) for a known energy U, by samples of the flow.",
       .source = "Rezende and Mohamed 2015, arXiv:1505.05770",
       .use = "fit_reverse_kl() with an energy",
       .needs_energy = true,
       .make = [](const ObjectiveInputs& inputs,
                  const TrainingOptions&) -> std::shared_ptr<const Objective> {
         return std::make_shared<ReverseKl>(inputs.flow, inputs.energy);
       }},
  };
  return registry;
}

const ObjectiveEntry& find_objective(std::string_view name, std::string_view where) {
  std::vector<std::string> names;
  for (const ObjectiveEntry& entry : objective_registry()) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  const auto nearest = nearest_match(name, names);
  fail<ConfigError>(where, kKey, "one of " + join(names, ", "), "'" + std::string(name) + "'",
                    nearest ? "Did you mean '" + *nearest + "'?" : "Choose one of the list.");
}

std::shared_ptr<const Objective> make_objective(const ObjectiveInputs& inputs,
                                                const TrainingOptions& options) {
  const ObjectiveEntry& entry = find_objective(options.objective, "train");
  if (entry.needs_rows && inputs.splits.train == nullptr) missing(entry, "rows");
  if (entry.needs_energy && inputs.energy == nullptr) missing(entry, "an energy");
  return entry.make(inputs, options);
}

}  // namespace contraflow
