// Whole flows on a card: the program kernels against the same flow as LibTorch operations on that
// card, and against the tile kernels on the host's cores. One model, the same rows.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <optional>
#include <string>
#include <thread>

#include "contraflow/core/rng.h"
#include "contraflow/kernels/isa.h"
#include "contraflow/models/presets.h"

namespace contraflow {
namespace {

enum class Side { kKernels, kComposed, kHost };
enum class Work { kLogProb, kInverse, kGradient };

struct Model {
  const char* name;
  const char* preset;
  int64_t width = 0;  // of sequential nets; 0 = the preset's
};

struct Case {
  Model model;
  Side side;
  Work work;
};

// Blocks as wide and deep as the preset's, with nets of slope near their constant: solves and
// series then take about as many terms as in a trained flow.
FlowPtr steep_flow(const Model& model) {
  ContractiveOptions options = models::contractive_preset(model.preset);
  if (model.width > 0) std::fill(options.net.hidden.begin(), options.net.hidden.end(), model.width);
  options.net.init_gain = 3.0;
  return build_flow(contractive_spec(options, {.event = 2}));
}

bool has_device() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

void run_case(benchmark::State& state, Case c) {
  const at::AutoGradMode gradients(c.work == Work::kGradient);
  const FlowPtr flow = steep_flow(c.model);
  at::Tensor x = Rng(1).normal({state.range(0), 2}, at::kFloat);
  flow->prepare(x.narrow(0, 0, 500));
  const bool on_card = c.side != Side::kHost;
  const int threads = at::get_num_threads();
  if (on_card && !has_device()) return state.SkipWithError("no card to run on");
  if (on_card) {
    flow->to(at::kCUDA);
    x = x.to(at::kCUDA);
  } else {
    at::set_num_threads(static_cast<int>(std::thread::hardware_concurrency()));
  }
  std::optional<kernels::ScopedIsa> composed;
  if (c.side == Side::kComposed) composed.emplace("composed");
  if (c.work == Work::kInverse) x = flow->transform()->forward(x).value;
  for (const at::Tensor& p : flow->parameters()) p.mutable_grad() = at::zeros_like(p);
  const at::Tensor weight = at::full({x.size(0)}, 1.0, x.options());
  const auto once = [&]() -> at::Tensor {
    switch (c.work) {
      case Work::kLogProb:
        return flow->log_prob(x);
      case Work::kInverse:
        return flow->transform()->inverse(x).value;
      case Work::kGradient:
        return flow->add_log_prob_gradient(x, weight, {.phase = Phase::kTrain});
    }
    return {};
  };
  const auto work = [&] {
    benchmark::DoNotOptimize(once());
    if (on_card) cudaDeviceSynchronize();
  };
  work();  // modules load, memory pools grow
  for (auto _ : state) work();
  state.SetItemsProcessed(state.iterations() * state.range(0));
  at::set_num_threads(threads);  // the benchmarks of other files run on what main() chose
}

const char* name_of(Side side) {
  switch (side) {
    case Side::kKernels:
      return "card_kernels";
    case Side::kComposed:
      return "card_composed";
    case Side::kHost:
      return "host_tiles";
  }
  return "";
}

const bool kRegistered = [] {
  for (const Model& model :
       {Model{"idensenet", "idensenet"}, Model{"monotone", "monotone"},
        Model{"residual_64", "residual", 64}, Model{"residual_128", "residual"}}) {
    for (const auto& [work, word] : {std::pair{Work::kLogProb, "log_prob/"},
                                     {Work::kInverse, "inverse/"},
                                     {Work::kGradient, "gradient/"}}) {
      for (const Side side : {Side::kKernels, Side::kComposed, Side::kHost}) {
        const std::string name = std::string("device/") + word + model.name + "/" + name_of(side);
        auto* added =
            benchmark::RegisterBenchmark(name.c_str(), [=, work = work](benchmark::State& state) {
              run_case(state, {model, side, work});
            });
        added->ArgName("rows")->Arg(500)->Arg(20'000);
        if (work != Work::kGradient) added->Arg(1'000'000);
        added->Unit(benchmark::kMillisecond)->UseRealTime();
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace contraflow
