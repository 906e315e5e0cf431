// Whole training steps of image models: norms, gradient, Adam, data. On this machine's cores and, where there is one,
// on its card; full presets of the papers there with products of each type.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <torch/cuda.h>

#include <memory>
#include <string>

#include "contraflow/core/rng.h"
#include "contraflow/data/sources.h"
#include "contraflow/models/image_flow.h"
#include "contraflow/training/max_likelihood.h"
#include "contraflow/training/training_loop.h"

namespace contraflow {
namespace {

constexpr int64_t kImages = 256;

struct Case {
  std::string preset;
  EventShape event;
  ProductType products = ProductType::kWorking;
  DeviceKind device = DeviceKind::kCpu;
};

FlowPtr flow_of(const Case& c) {
  ImageOptions options = models::image_preset(c.preset);
  options.net.products = options.fc_net.products = c.products;
  return build_flow(image_spec(options, {.event = c.event, .levels = 256}));
}

// Random pixels: how long a step takes depends on the weights, not on the picture.
data::SourcePtr images_of(const EventShape& event) {
  std::vector<int64_t> sizes{kImages};
  sizes.insert(sizes.end(), event.sizes().begin(), event.sizes().end());
  const at::Tensor pixels =
      Rng(1).uniform(sizes, at::kFloat).mul_(256).floor_().clamp_(0, 255).to(at::kByte);
  return std::make_shared<data::TensorSource>("noise", pixels, at::Tensor(), at::Tensor(), Rng(2),
                                              at::kFloat);
}

void run_step(benchmark::State& state, const Case& c) {
  const bool on_card = c.device == DeviceKind::kCuda;
  const auto objective = std::make_shared<MaxLikelihood>(
      flow_of(c), data::Splits{images_of(c.event), nullptr, nullptr});
  TrainingOptions options;
  options.batch_size = state.range(0);
  options.init_rows = kImages;
  options.validate_every = 0;
  options.device = c.device;
  TrainingLoop loop(objective, options);
  const auto step = [&] {
    loop.step();
    if (on_card) torch::cuda::synchronize();
  };
  step();  // initialises; norms settle, memory pools grow
  for (auto _ : state) step();
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void add(const std::string& name, const Case& c, int64_t batch) {
  benchmark::RegisterBenchmark(name.c_str(), [c](benchmark::State& state) { run_step(state, c); })
      ->ArgName("images")
      ->Arg(batch)
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

const bool kRegistered = [] {
  const EventShape mnist{1, 28, 28}, cifar{3, 32, 32};
  for (const char* preset : {"image_small", "image_small_monotone"}) {
    add(std::string("images/step/") + preset, {preset, mnist}, 64);
  }
  if (!torch::cuda::is_available()) return true;
  for (const auto& [preset, event] : {std::pair{"image_small", mnist},
                                      {"image_small_monotone", mnist},
                                      {"residual_mnist", mnist},
                                      {"monotone_mnist", mnist},
                                      {"residual_cifar10", cifar},
                                      {"monotone_cifar10", cifar}}) {
    for (const auto& [word, products] : {std::pair{"", ProductType::kWorking},
                                         {"/tf32", ProductType::kTf32},
                                         {"/bfloat16", ProductType::kBFloat16}}) {
      add(std::string("device/images/step/") + preset + word,
          {preset, event, products, DeviceKind::kCuda}, 64);
    }
  }
  return true;
}();

}  // namespace
}  // namespace contraflow
