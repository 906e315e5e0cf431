// Whole flows of the presets: log_prob, its gradient, the inverse, the refresh of the norms.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <algorithm>

#include "contraflow/core/rng.h"
#include "contraflow/models/presets.h"

namespace contraflow {
namespace {

constexpr int64_t kRows = 500;

struct Prepared {
  FlowPtr flow;
  at::Tensor x;
};

Prepared prepared(FlowPtr (*make)(const models::Settings&), int64_t dim) {
  Prepared p{make({.event = dim}), Rng(1).normal({kRows, dim}, at::kFloat)};
  p.flow->prepare(p.x);
  return p;
}

template <FlowPtr (*make)(const models::Settings&)>
void log_prob(benchmark::State& state) {
  const auto [flow, x] = prepared(make, state.range(0));
  const at::NoGradGuard no_grad;
  for (auto _ : state) benchmark::DoNotOptimize(flow->log_prob(x));
  state.SetItemsProcessed(state.iterations() * kRows);
}

template <FlowPtr (*make)(const models::Settings&)>
void gradient(benchmark::State& state) {
  const auto [flow, x] = prepared(make, state.range(0));
  uint64_t step = 0;
  for (auto _ : state) {
    for (const at::Tensor& p : flow->parameters()) p.mutable_grad().reset();
    const Context context{.condition = {}, .rng = Rng(++step), .phase = Phase::kTrain};
    flow->log_prob(x, context).neg().mean().backward();
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}

template <FlowPtr (*make)(const models::Settings&)>
void inverse(benchmark::State& state) {
  const auto [flow, x] = prepared(make, state.range(0));
  const at::NoGradGuard no_grad;
  for (auto _ : state) benchmark::DoNotOptimize(flow->transform()->inverse(x));
  state.SetItemsProcessed(state.iterations() * kRows);
}

template <FlowPtr (*make)(const models::Settings&)>
void prepare(benchmark::State& state) {
  const auto [flow, x] = prepared(make, state.range(0));
  for (auto _ : state) flow->prepare(x);
}

void dimensions(benchmark::internal::Benchmark* b) {
  b->ArgName("dim")->Arg(2)->Arg(8)->Unit(benchmark::kMillisecond);
}
BENCHMARK(log_prob<models::idensenet>)->Name("log_prob/idensenet")->Apply(dimensions);
BENCHMARK(log_prob<models::monotone_flow>)->Name("log_prob/monotone")->Apply(dimensions);
BENCHMARK(log_prob<models::residual_flow>)->Name("log_prob/residual")->Apply(dimensions);
BENCHMARK(gradient<models::idensenet>)->Name("gradient/idensenet")->Apply(dimensions);
BENCHMARK(gradient<models::monotone_flow>)->Name("gradient/monotone")->Apply(dimensions);
BENCHMARK(gradient<models::residual_flow>)->Name("gradient/residual")->Apply(dimensions);
BENCHMARK(inverse<models::idensenet>)->Name("inverse/idensenet")->Apply(dimensions);
BENCHMARK(inverse<models::monotone_flow>)->Name("inverse/monotone")->Apply(dimensions);
BENCHMARK(prepare<models::idensenet>)->Name("prepare/idensenet")->Apply(dimensions);
BENCHMARK(prepare<models::residual_flow>)->Name("prepare/residual")->Apply(dimensions);

}  // namespace
}  // namespace contraflow
