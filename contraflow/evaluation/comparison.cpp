#include "contraflow/evaluation/comparison.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/data/domain.h"
#include "contraflow/data/weights.h"
#include "contraflow/distributions/compare.h"
#include "contraflow/evaluation/scores.h"
#include "contraflow/training/evaluation.h"

namespace contraflow {
namespace {

/// What the chunks gave, to be put together at the end.
struct Parts {
  std::vector<at::Tensor> of_a, of_b, gap, error, bias, weight;

  void add(const PairedLogProb& pair, const at::Tensor& weight_b) {
    of_a.push_back(-pair.a.cpu());
    of_b.push_back(-pair.b.cpu());
    gap.push_back(pair.difference.cpu());
    error.push_back(pair.standard_error.cpu());
    bias.push_back(pair.bias_bound.cpu());
    weight.push_back(weight_b.defined() ? weight_b.to(at::kDouble)
                                        : at::ones({pair.a.size(0)}, at::kDouble));
  }

  ComparisonReport report() const {
    const at::Tensor weights = at::cat(weight), gaps = at::cat(gap);
    const double sum = weights.sum().item<double>();
    ComparisonReport out;
    out.rows = weights.size(0);
    out.effective_rows = data::effective_rows(weights);
    out.nll_a = weighted_mean(at::cat(of_a), weights);
    out.nll_b = weighted_mean(at::cat(of_b), weights);
    out.difference = weighted_mean(gaps, weights);
    out.noise_error = (weights * at::cat(error)).norm().item<double>() / sum;
    out.bias_bound = (weights * at::cat(bias)).sum().item<double>() / sum;
    out.won = (weights * gaps.gt(0)).sum().item<double>() / sum;
    return out;
  }
};

}  // namespace

Interval ComparisonReport::interval() const {
  const Interval own = difference.interval();
  return {own.lower - bias_bound, own.upper + bias_bound};
}

const char* ComparisonReport::better() const {
  const Interval range = interval();
  if (range.lower > 0.0) return "A";
  return range.upper < 0.0 ? "B" : nullptr;
}

ComparisonReport compare(const Flow& a, const Flow& b, const data::Columns& columns,
                         const RowFeed& feed, const ComparisonOptions& options) {
  const Randomness noise = worst(a.randomness(Phase::kEvaluate), b.randomness(Phase::kEvaluate));
  const bool is_random = noise != Randomness::kNone;
  const int64_t replicates = is_random ? options.replicates : 1;
  const int64_t chunk =
      std::min(rows_per_chunk(a, options.batch), rows_per_chunk(b, options.batch));
  Parts parts;
  int64_t rows = 0;
  while (options.rows == 0 || rows < options.rows) {
    const int64_t most = options.rows == 0 ? chunk : std::min(chunk, options.rows - rows);
    const data::Batch raw = feed.next(rows, most);
    if (raw.x.size(0) == 0) break;
    data::check_domain(raw.x, columns, feed.name, rows);
    const data::Batch batch = batch_to(raw, input_kind_of(a.transform()->data_side() ? a : b));
    const Context context{.condition = batch.condition, .rng = options.rng.rows_from(rows)};
    with_memory(memory_use("compare", a, raw.x.size(0)), [&] {
      parts.add(paired_log_prob(a, b, batch.x, context, replicates, is_random), raw.weight);
    });
    rows += raw.x.size(0);
    if (options.done) options.done(rows, feed.fraction(rows));
  }
  if (rows == 0)
    fail<ConfigError>("compare", feed.name, "at least one row", "none", "Check the file.");
  ComparisonReport out = parts.report();
  out.data = feed.name;
  out.replicates = replicates;
  return out;
}

}  // namespace contraflow
