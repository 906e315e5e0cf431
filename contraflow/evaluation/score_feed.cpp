#include "contraflow/evaluation/score_feed.h"

#include <ATen/ATen.h>

#include <limits>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/data/domain.h"

namespace contraflow {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

at::Tensor missing_rows(const data::Batch& batch) {
  at::Tensor out = at::isfinite(batch.x).logical_not().flatten(1).any(1);
  if (batch.condition.defined()) {
    out = out.logical_or(at::isfinite(batch.condition).logical_not().flatten(1).any(1));
  }
  return out;
}

// Further out than float32 can square; the densities of logarithms and logits hold out everywhere.
at::Tensor absurd_rows(const at::Tensor& x, const data::Columns& columns) {
  constexpr double kFarthest = 1e8;
  std::vector<double> center, farthest;
  for (const ColumnInfo& info : columns.infos) {
    center.push_back(info.center);
    farthest.push_back(info.low() || info.high() ? kInfinity : kFarthest * info.scale);
  }
  if (center.empty()) return at::zeros({x.size(0)}, at::kBool);
  const at::Tensor away = (x - at::tensor(center, at::kDouble)).abs_();
  return away.gt(at::tensor(farthest, at::kDouble)).any(1);
}

// The batch with a good row in the place of each bad one, so that every other row keeps its number,
// and with it its random numbers.
data::Batch with_good_rows(const data::Batch& batch, const at::Tensor& bad) {
  data::Batch out = batch;
  const at::Tensor rows = bad.nonzero().squeeze(1);
  if (rows.size(0) == 0) return out;
  const int64_t good = bad.logical_not().nonzero()[0].item<int64_t>();
  const auto replaced = [&](const at::Tensor& t) {
    if (!t.defined()) return t;
    const at::Tensor row = t.select(0, good).unsqueeze(0).expand_as(t.index_select(0, rows));
    return t.index_copy(0, rows, row);
  };
  out.x = replaced(batch.x);
  out.condition = replaced(batch.condition);
  return out;
}

data::Batch part_of(const data::Batch& batch, int64_t begin, int64_t count) {
  const auto part = [&](const at::Tensor& t) {
    return t.defined() ? t.narrow(0, begin, count) : t;
  };
  return {part(batch.x), part(batch.condition), part(batch.weight), batch.first_row + begin};
}

/// Rows whose solve does not converge are found by halving what they are among.
class Scorer {
 public:
  Scorer(const Flow& flow, const ScoreOptions& options, FlaggedScores& out)
      : flow_(flow), options_(options), out_(out) {}

  void score(const data::Batch& batch, int64_t begin) {
    const int64_t count = batch.x.size(0);
    try {
      put(score_batch(flow_, batch, options_), begin, count);
    } catch (const ConvergenceError&) {
      if (count == 1) {
        out_.flags[static_cast<size_t>(begin)] = RowFlag::kUnsolved;
        return;
      }
      const int64_t half = count / 2;
      score(part_of(batch, 0, half), begin);
      score(part_of(batch, half, count - half), begin + half);
    }
  }

 private:
  void put(const LogProbWithError& part, int64_t begin, int64_t count) {
    out_.scores.log_prob.narrow(0, begin, count).copy_(part.log_prob);
    out_.scores.standard_error.narrow(0, begin, count).copy_(part.standard_error);
    out_.scores.bias_bound.narrow(0, begin, count).copy_(part.bias_bound);
    out_.scores.replicates = part.replicates;
    if (!part.log_mean.defined()) return;
    for (at::Tensor* own : {&out_.scores.log_mean, &out_.scores.log_mean_error}) {
      if (!own->defined()) *own = at::full_like(out_.scores.log_prob, kNan);
    }
    out_.scores.log_mean.narrow(0, begin, count).copy_(part.log_mean);
    out_.scores.log_mean_error.narrow(0, begin, count).copy_(part.log_mean_error);
  }

  const Flow& flow_;
  const ScoreOptions& options_;
  FlaggedScores& out_;
};

FlaggedScores empty_scores(int64_t rows) {
  const at::Tensor none = at::full({rows}, kNan, at::kDouble);
  return {{none.clone(), none.clone(), none.clone(), 1, {}, {}},
          std::vector<RowFlag>(static_cast<size_t>(rows), RowFlag::kScored)};
}

}  // namespace

FlaggedScores score_rows(const Flow& flow, const data::Columns& columns, const data::Batch& batch,
                         const ScoreOptions& options) {
  const int64_t rows = batch.x.size(0);
  FlaggedScores out = empty_scores(rows);
  const auto mark = [&](const at::Tensor& mask, RowFlag flag) {
    const at::Tensor marked = mask.nonzero().squeeze(1);
    for (int64_t k = 0; k < marked.size(0); ++k) {
      RowFlag& own = out.flags[static_cast<size_t>(marked[k].item<int64_t>())];
      if (own == RowFlag::kScored) own = flag;
    }
  };
  const at::Tensor missing = missing_rows(batch), absurd = absurd_rows(batch.x, columns),
                   outside = data::outside_domain(batch.x, columns);
  const at::Tensor bad = missing.logical_or(absurd).logical_or(outside);
  mark(missing, RowFlag::kMissing);
  mark(absurd, RowFlag::kAbsurd);
  mark(outside, RowFlag::kOutside);
  if (!bad.all().item<bool>()) Scorer(flow, options, out).score(with_good_rows(batch, bad), 0);
  for (int64_t r = 0; r < rows; ++r) {
    const RowFlag own = out.flags[static_cast<size_t>(r)];
    if (own == RowFlag::kScored || own == RowFlag::kUnsolved) continue;
    const bool none = own == RowFlag::kMissing;
    out.scores.log_prob[r] = none ? kNan : -kInfinity;
    out.scores.standard_error[r] = none ? kNan : 0.0;
    out.scores.bias_bound[r] = none ? kNan : 0.0;
    if (!out.scores.log_mean.defined()) continue;
    out.scores.log_mean[r] = none ? kNan : -kInfinity;
    out.scores.log_mean_error[r] = none ? kNan : 0.0;
  }
  return out;
}

void score_feed(const Flow& flow, const data::Columns& columns, const RowFeed& feed,
                const ScoreOptions& options, const UseScores& use) {
  const int64_t chunk = rows_per_chunk(flow, options.batch);
  int64_t rows = 0;
  while (true) {
    const data::Batch batch = feed.next(rows, chunk);
    if (batch.x.size(0) == 0) break;
    FlaggedScores scores;
    with_memory(memory_use("score", flow, batch.x.size(0)),
                [&] { scores = score_rows(flow, columns, batch, options); });
    rows += batch.x.size(0);
    use(scores, rows, feed.fraction(rows));
  }
  if (rows > 0) return;
  fail<ConfigError>("score", feed.name, "at least one row", "none", "Check the file.");
}

}  // namespace contraflow
