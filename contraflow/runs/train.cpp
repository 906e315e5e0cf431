#include "contraflow/runs/train.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/training/objective_registry.h"

namespace contraflow {
namespace {

// What a run of an earlier version stored, with the options that it did not know yet.
nlohmann::ordered_json resolved_metadata(const nlohmann::ordered_json& stored) {
  nlohmann::ordered_json out = stored;
  out.erase("columns");
  out.erase("identity");
  out = options_to_json(run_config_from_json(out, "resume"));
  out["columns"] = options_to_json(options_from_json<data::Columns>(stored["columns"], "resume"));
  if (stored.contains("identity")) out["identity"] = stored["identity"];
  return out;
}

// Data that changed make another run of it, however alike the columns are.
void check_same_data(const nlohmann::ordered_json& stored,
                     const std::optional<data::DataIdentity>& now, const std::string& name) {
  if (!stored.contains("identity") || !now) return;
  const auto then = options_from_json<data::DataIdentity>(stored["identity"], "resume");
  if (then.rows == now->rows && then.checksum == now->checksum) return;
  fail<DomainError>("resume", name, "the data of the run: " + data::identity_text(then),
                    data::identity_text(*now),
                    "Restore the file, or train anew in another folder.");
}

}  // namespace

std::shared_ptr<const Objective> objective_of(const PreparedRun& run) {
  ObjectiveInputs inputs{.flow = run.flow, .splits = run.dataset.splits};
  if (const auto kind = energy_of(run.config)) {
    inputs.energy = [kind = *kind](const at::Tensor& x) { return energy(kind, x); };
  }
  return make_objective(inputs, run.config.training);
}

TrainerHooks with_metadata(const PreparedRun& run, TrainerHooks hooks) {
  hooks.config = run.metadata();
  hooks.resolve_config = [identity = run.dataset.identity,
                          name = run.dataset.name](const nlohmann::ordered_json& stored) {
    check_same_data(stored, identity, name);
    return resolved_metadata(stored);
  };
  return hooks;
}

TrainReport train(PreparedRun& run, const RunFolder& folder, TrainerHooks hooks) {
  return fit_in_folder(*objective_of(run), run.config.training, folder,
                       with_metadata(run, std::move(hooks)));
}

}  // namespace contraflow
