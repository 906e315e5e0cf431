#include "contraflow/evaluation/samples.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "contraflow/evaluation/scores.h"
#include "contraflow/training/evaluation.h"

namespace contraflow {
namespace {

constexpr int64_t kRowsAtOnce = 4096;

// As many as a picture needs at once, fewer of large events.
int64_t chunk_of(const Flow& flow) {
  return std::min(kRowsAtOnce, rows_per_chunk(event_size(flow)));
}

// Rows with a value whose rounding moves it by more than a billionth of its distance from a bound, or of
// its column's scale.
at::Tensor rounded_rows(const at::Tensor& x, const data::Columns& columns) {
  constexpr double kRounding = 0x1p-30;
  at::Tensor out = at::zeros({x.size(0)}, at::kBool);
  for (size_t c = 0; c < columns.infos.size(); ++c) {
    const ColumnInfo& info = columns.infos[c];
    const at::Tensor value = x.select(1, static_cast<int64_t>(c));
    at::Tensor distance = at::full_like(value, std::numeric_limits<double>::infinity());
    if (info.low()) distance = at::minimum(distance, value - *info.low());
    if (info.high()) distance = at::minimum(distance, *info.high() - value);
    if (!info.low() && !info.high()) distance.fill_(info.scale);
    out.logical_or_(distance.lt(kRounding * value.abs()));
  }
  return out;
}

at::Tensor on_host(const at::Tensor& t) { return t.defined() ? t.to(at::kCPU, at::kDouble) : t; }

}  // namespace

at::Tensor condition_for(const Flow& flow, const at::Tensor& given, int64_t rows) {
  if (!given.defined()) return given;
  std::vector<int64_t> shape = given.sizes().vec();
  shape.front() = rows;
  return given.to(input_kind_of(flow)).expand(shape);
}

void draw_in_chunks(const Flow& flow, const DrawOptions& options,
                    const std::function<void(const SampleWithLogProb&, int64_t)>& use) {
  const int64_t chunk = options.wants_log_prob || options.batch > 0
                            ? rows_per_chunk(flow, options.batch)
                            : rows_per_chunk(event_size(flow));
  for (int64_t begin = 0; begin < options.count; begin += chunk) {
    const int64_t rows = std::min(chunk, options.count - begin);
    const SampleArguments arguments{.rng = options.rng.rows_from(begin),
                                    .temperature = options.temperature,
                                    .condition = condition_for(flow, options.given, rows),
                                    .wants_log_prob = options.wants_log_prob};
    SampleWithLogProb part;
    with_memory(memory_use("sample", flow, rows), [&] {
      const SampleWithLogProb drawn = flow.sample_and_log_prob(rows, arguments);
      part = {on_host(drawn.sample), on_host(drawn.log_prob), on_host(drawn.error_bound)};
    });
    use(part, begin);
  }
}

at::Tensor draw_samples(const Flow& flow, int64_t count, const Rng& rng, const at::Tensor& given) {
  std::vector<at::Tensor> parts;
  const int64_t chunk = chunk_of(flow);
  for (int64_t begin = 0; begin < count; begin += chunk) {
    const int64_t rows = std::min(chunk, count - begin);
    const SampleArguments arguments{.rng = rng.rows_from(begin),
                                    .condition = condition_for(flow, given, rows)};
    parts.push_back(on_host(flow.sample(rows, arguments)));
  }
  return at::cat(parts);
}

at::Tensor reconstructed(const Flow& flow, const data::Batch& batch, const Rng& rng) {
  const at::NoGradGuard no_grad;
  const data::Batch own = batch_to(batch, input_kind_of(flow));
  const Context context{.condition = own.condition,
                        .rng = rng.rows_from(own.first_row),
                        .hints = {.wants_log_det = false}};
  const at::Tensor z = flow.transform()->forward(own.x, context).value;
  return on_host(flow.transform()->inverse(z, context).value);
}

at::Tensor log_prob_at(const Flow& flow, const at::Tensor& points, const at::Tensor& given) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = points.to(input_kind_of(flow));
  const int64_t chunk = std::min(kRowsAtOnce, rows_per_chunk(flow, 0));
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < x.size(0); begin += chunk) {
    const int64_t rows = std::min(chunk, x.size(0) - begin);
    const Context context{.condition = condition_for(flow, given, rows),
                          .rng = Rng(0).fork("grid").rows_from(begin)};
    parts.push_back(on_host(flow.log_prob(x.narrow(0, begin, rows), context)));
  }
  return at::cat(parts);
}

at::Tensor log_prob_of_rounded(const Flow& flow, const data::Columns& columns,
                               const SampleWithLogProb& drawn, const at::Tensor& given) {
  if (columns.infos.empty() || columns.has_steps()) return drawn.log_prob;
  const at::Tensor rows = rounded_rows(drawn.sample, columns).nonzero().squeeze(1);
  if (rows.size(0) == 0) return drawn.log_prob;
  return drawn.log_prob.index_copy(0, rows,
                                   log_prob_at(flow, drawn.sample.index_select(0, rows), given));
}

}  // namespace contraflow
