// Activations with their derivatives, spectral norms, the optimizer.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include "contraflow/core/rng.h"
#include "contraflow/kernels/activations.h"
#include "contraflow/models/presets.h"
#include "contraflow/networks/spectral_norm.h"
#include "contraflow/training/optimizer.h"

namespace contraflow {
namespace {

constexpr int64_t kRows = 512;
constexpr int64_t kFeatures = 128;

// order = 0 value, 1 and slope, 2 and curvature.
template <ActivationJet (*jet)(Activation, const at::Tensor&, const at::Tensor&, int)>
void activation(benchmark::State& state, Activation kind) {
  const at::NoGradGuard no_grad;
  const at::Tensor z = Rng(1).normal({kRows, kFeatures}, at::kFloat);
  const at::Tensor beta = at::full({}, 0.974F);
  const auto order = static_cast<int>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(jet(kind, z, beta, order));
  state.SetItemsProcessed(state.iterations() * z.numel());
}
const bool kActivations = [] {
  for (const auto& [name, kind] : {std::pair{"lipswish", Activation::kLipSwish},
                                   {"clipswish", Activation::kClipSwish},
                                   {"cpila", Activation::kCPila},
                                   {"elu", Activation::kElu}}) {
    const auto add = [&](const char* form, void (*run)(benchmark::State&, Activation)) {
      benchmark::RegisterBenchmark((std::string("activation/") + name + form).c_str(),
                                   [=, kind = kind](benchmark::State& state) { run(state, kind); })
          ->ArgName("order")
          ->DenseRange(0, 2);
    };
    add("", activation<activation_jet>);
    add("/composed", activation<activation_jet_composed>);
  }
  return true;
}();

// A refresh from the last step's singular vector, as training does one per layer and step.
void spectral_norm(benchmark::State& state, NormMethod method) {
  const at::NoGradGuard no_grad;
  const at::Tensor weight = Rng(2).normal({state.range(0), state.range(1)}, at::kFloat);
  const at::Tensor warm = spectral_norm_bounds(weight, at::Tensor(), method).right;
  for (auto _ : state) benchmark::DoNotOptimize(spectral_norm_bounds(weight, warm, method));
}
void norm_shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"outputs", "inputs"});
  for (const auto& [outputs, inputs] :
       {std::pair{8, 2}, {8, 34}, {2, 50}, {128, 43}, {128, 128}, {512, 512}})
    b->Args({outputs, inputs});
}
BENCHMARK_CAPTURE(spectral_norm, estimated, NormMethod::kEstimated)->Apply(norm_shapes);
BENCHMARK_CAPTURE(spectral_norm, cholesky, NormMethod::kCholesky)->Apply(norm_shapes);
BENCHMARK_CAPTURE(spectral_norm, gram, NormMethod::kGram)->Apply(norm_shapes);

// One update of a whole flow; `blocks` of hidden width 128.
void adam(benchmark::State& state) {
  const FlowPtr flow = models::residual_flow({.event = 2, .blocks = state.range(0)});
  FlatParameters flat(*flow);
  Adam optimizer(flat, {.weight_decay = 1e-5});
  flat.zero_gradients();
  for (auto _ : state) optimizer.step(1e-3);
  int64_t elements = 0;
  for (const at::Tensor& values : flat.values()) elements += values.numel();
  state.SetItemsProcessed(state.iterations() * elements);
}
BENCHMARK(adam)->ArgName("blocks")->Arg(1)->Arg(10);

}  // namespace
}  // namespace contraflow
