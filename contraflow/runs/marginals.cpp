#include "contraflow/runs/marginals.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/core/number_text.h"
#include "contraflow/core/text.h"
#include "contraflow/transforms/column_map.h"
#include "contraflow/transforms/marginal_knots.h"

namespace contraflow {
namespace {

// The first rows of a part, as the flow's curves will see them.
at::Tensor mapped(const ColumnMap& map, const data::Source& part, int64_t most, const Rng& rng) {
  const int64_t rows = std::min(most, part.size().value_or(most));
  return map.forward(part.rows(0, rows).x, {.rng = rng}).value;
}

std::string note_of(const std::string& name, int64_t knots,
                    const std::vector<MarginalTrial>& trials) {
  const auto taken = std::find_if(trials.begin(), trials.end(),
                                  [&](const MarginalTrial& trial) { return trial.knots == knots; });
  std::string out = "  " + name + ": " + std::to_string(knots) + " knots";
  if (taken == trials.end() || knots == 0) return out;
  return out + ", " + fixed(taken->log_prob.mean - trials.front().log_prob.mean, 2) +
         " nats a held-out row better than a straight line";
}

}  // namespace

MarginalChoice choose_marginals(const data::Dataset& dataset, int64_t seed) {
  MarginalChoice out;
  const data::Columns& columns = dataset.columns;
  const data::SourcePtr& train = dataset.splits.train;
  const data::SourcePtr& validation = dataset.splits.validation;
  if (columns.infos.empty() || validation == nullptr) return out;
  if (*train->size() < 2 || *validation->size() < 2) return out;
  constexpr int64_t kMostTraining = 100'000, kMostValidation = 20'000;
  const ColumnMap map({columns.infos});
  const Rng rng = Rng(static_cast<uint64_t>(seed)).fork("marginals");
  std::vector<int64_t> places;  // of columns without masses of their own
  for (size_t c = 0; c < columns.infos.size(); ++c) {
    if (columns.infos[c].levels == 0) places.push_back(static_cast<int64_t>(c));
  }
  out.knots.assign(columns.infos.size(), 0);
  out.rows = std::min(kMostTraining, *train->size());
  if (places.empty()) return out;
  const at::Tensor index = at::tensor(places, at::kLong);
  const auto chosen_columns = [&](const data::Source& part, int64_t most, const char* tag) {
    return mapped(map, part, most, rng.fork(tag)).index_select(1, index);
  };
  const MarginalKnots found =
      choose_marginal_knots(chosen_columns(*train, kMostTraining, "train"),
                            chosen_columns(*validation, kMostValidation, "validation"),
                            {.standard_errors = 2.0});  // a straight line is the simpler flow
  bool any = false;
  for (size_t k = 0; k < places.size(); ++k) {
    const auto c = static_cast<size_t>(places[k]);
    out.knots[c] = found.knots[k];
    any = any || found.knots[k] > 0;
    out.notes.push_back(note_of(columns.names[c], found.knots[k], found.trials[k]));
  }
  out.notes.insert(out.notes.begin(), "marginal curves, by held-out likelihood:");
  if (!any) out.notes = {"marginal curves: none, no column gains by one on held-out rows"};
  return out;
}

}  // namespace contraflow
