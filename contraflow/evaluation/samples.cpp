#include "contraflow/evaluation/samples.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "contraflow/evaluation/scores.h"

namespace contraflow {
namespace {

constexpr int64_t kRowsAtOnce = 4096;

// As many as a picture needs at once, fewer of large events.
int64_t chunk_of(const Flow& flow) {
  return std::min(kRowsAtOnce, rows_per_chunk(event_size(flow)));
}

at::Tensor on_host(const at::Tensor& t) { return t.to(at::kCPU, at::kDouble); }

}  // namespace

at::Tensor condition_for(const Flow& flow, const at::Tensor& given, int64_t rows) {
  if (!given.defined()) return given;
  std::vector<int64_t> shape = given.sizes().vec();
  shape.front() = rows;
  return given.to(input_kind_of(flow)).expand(shape);
}

void draw_in_chunks(const Flow& flow, const DrawOptions& options,
                    const std::function<void(const SampleWithLogProb&, int64_t)>& use) {
  const int64_t chunk = rows_per_chunk(event_size(flow));
  for (int64_t begin = 0; begin < options.count; begin += chunk) {
    const int64_t rows = std::min(chunk, options.count - begin);
    const SampleArguments arguments{.rng = options.rng.rows_from(begin),
                                    .temperature = options.temperature,
                                    .condition = condition_for(flow, options.given, rows)};
    const SampleWithLogProb part = flow.sample_and_log_prob(rows, arguments);
    use({on_host(part.sample), on_host(part.log_prob), on_host(part.error_bound)}, begin);
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

at::Tensor log_prob_at(const Flow& flow, const at::Tensor& points, const at::Tensor& given) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = points.to(input_kind_of(flow));
  const int64_t chunk = chunk_of(flow);
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < x.size(0); begin += chunk) {
    const int64_t rows = std::min(chunk, x.size(0) - begin);
    const Context context{.condition = condition_for(flow, given, rows),
                          .rng = Rng(0).fork("grid").rows_from(begin)};
    parts.push_back(on_host(flow.log_prob(x.narrow(0, begin, rows), context)));
  }
  return at::cat(parts);
}

}  // namespace contraflow
