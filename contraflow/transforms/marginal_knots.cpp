#include "contraflow/transforms/marginal_knots.h"

#include <ATen/ATen.h>

#include <limits>

#include "contraflow/core/check.h"
#include "contraflow/core/error.h"
#include "contraflow/core/parallel.h"
#include "contraflow/transforms/feature_statistics.h"
#include "contraflow/transforms/marginal_fit.h"

namespace contraflow {
namespace {

constexpr const char* kWhere = "choose_marginal_knots";

void check_rows(const at::Tensor& train, const at::Tensor& validation) {
  check_floating(kWhere, "train", train);
  if (train.dim() != 2) {
    fail<ShapeError>(kWhere, "train", "rows [N, D]", c10::str(train.sizes()),
                     "Give one row per event.");
  }
  check_event(kWhere, "validation", validation, {train.size(1)});
  check_same_kind(kWhere, "validation", validation, train);
  if (validation.size(0) < 2) {
    fail<DomainError>(kWhere, "validation", "at least two rows to take an error from",
                      c10::str(validation.size(0)), "Hold out more rows.");
  }
  check_finite(kWhere, "train", train);
  check_finite(kWhere, "validation", validation);
  feature_statistics(kWhere, train);  // two rows, and no constant column
}

void check_candidates(const std::vector<int64_t>& candidates) {
  bool good = !candidates.empty() && candidates.front() == 0;
  for (size_t k = 1; k < candidates.size(); ++k)
    good = good && candidates[k] > std::max<int64_t>(candidates[k - 1], 1);
  if (good) return;
  fail<ConfigError>(kWhere, "candidates", "0, then increasing numbers from 2 on",
                    c10::str(at::IntArrayRef(candidates)), "Sort them, with 0 in front.");
}

// The trials of one column; `chosen` is the one that holds at the end.
std::vector<MarginalTrial> try_column(const at::Tensor& sorted, const at::Tensor& validation,
                                      double roundoff, const MarginalKnotsOptions& options,
                                      int64_t& chosen) {
  std::vector<MarginalTrial> out;
  at::Tensor best;
  for (const int64_t knots : options.candidates) {
    if (knots > sorted.numel() / options.rows_per_knot) break;
    const at::Tensor log_prob =
        marginal_log_prob(fit_marginal(sorted, knots, roundoff), validation);
    MarginalTrial trial{knots, mean_and_error(log_prob), {}};
    if (best.defined()) trial.gain = paired_difference(log_prob, best);
    if (!best.defined() || trial.gain.mean > options.standard_errors * trial.gain.standard_error) {
      best = log_prob;
      chosen = knots;
    }
    out.push_back(trial);
  }
  return out;
}

}  // namespace

MarginalKnots choose_marginal_knots(const at::Tensor& train, const at::Tensor& validation,
                                    const MarginalKnotsOptions& options) {
  check_rows(train, validation);
  check_candidates(options.candidates);
  const double roundoff = train.scalar_type() == at::kFloat
                              ? std::numeric_limits<float>::epsilon()
                              : std::numeric_limits<double>::epsilon();
  const at::Tensor held = validation.detach().to(at::kCPU, at::kDouble);
  const at::Tensor x = train.detach().to(at::kCPU, at::kDouble);
  MarginalKnots out;
  out.knots.resize(static_cast<size_t>(x.size(1)));
  out.trials.resize(out.knots.size());
  parallel_items(x.size(1), [&](int64_t column) {
    const at::Tensor sorted = std::get<0>(x.select(1, column).contiguous().sort());
    const auto d = static_cast<size_t>(column);
    out.trials[d] = try_column(sorted, held.select(1, column), roundoff, options, out.knots[d]);
  });
  return out;
}

}  // namespace contraflow
