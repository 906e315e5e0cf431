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

// A training step's gradient, as fit() takes it, of a flow given `condition` numbers; 0: of none.
template <FlowPtr (*make)(const models::Settings&)>
void conditional_gradient(benchmark::State& state) {
  const int64_t width = state.range(0);
  const FlowPtr flow = make({.event = 2, .condition = width});
  const at::Tensor x = Rng(1).normal({kRows, 2}, at::kFloat);
  const at::Tensor weight = at::full({kRows}, 1.0 / kRows, at::kFloat);
  const at::Tensor given = width > 0 ? Rng(2).normal({kRows, width}, at::kFloat) : at::Tensor();
  flow->prepare(x, {.condition = given});
  for (const at::Tensor& p : flow->parameters()) p.mutable_grad() = at::zeros_like(p);
  uint64_t step = 0;
  for (auto _ : state) {
    const Context context{.condition = given, .rng = Rng(++step), .phase = Phase::kTrain};
    benchmark::DoNotOptimize(flow->add_log_prob_gradient(x, weight, context));
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
void widths(benchmark::internal::Benchmark* b) {
  b->ArgName("condition")->Arg(0)->Arg(1)->Arg(4)->Arg(16)->Unit(benchmark::kMillisecond);
}
BENCHMARK(conditional_gradient<models::idensenet>)->Name("given/idensenet")->Apply(widths);
BENCHMARK(conditional_gradient<models::monotone_flow>)->Name("given/monotone")->Apply(widths);
BENCHMARK(conditional_gradient<models::residual_flow>)->Name("given/residual")->Apply(widths);
BENCHMARK(inverse<models::idensenet>)->Name("inverse/idensenet")->Apply(dimensions);
BENCHMARK(inverse<models::monotone_flow>)->Name("inverse/monotone")->Apply(dimensions);
BENCHMARK(prepare<models::idensenet>)->Name("prepare/idensenet")->Apply(dimensions);
BENCHMARK(prepare<models::residual_flow>)->Name("prepare/residual")->Apply(dimensions);

}  // namespace
}  // namespace contraflow
