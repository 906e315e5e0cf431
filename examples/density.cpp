// Fits a monotone flow to rows in memory, saves it, and asks the loaded model for log-densities and
// samples.
#include <ATen/ATen.h>

#include <cstdio>

#include "contraflow/data/toy.h"
#include "contraflow/models/presets.h"
#include "contraflow/runs/fit.h"
#include "contraflow/runs/model.h"

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "moons.safetensors";
  const auto& moons = contraflow::data::toy_density("moons");
  const at::Tensor x = contraflow::data::sample_toy(moons, contraflow::Rng(1), 20'000, at::kFloat);
  const auto flow = contraflow::models::monotone_flow({.event = 2, .blocks = 4});
  const auto report = contraflow::fit(*flow, x, {.training = {.steps = 200, .validate_every = 50}});
  contraflow::save(*flow, path);

  const contraflow::Model model = contraflow::load(path);
  const at::Tensor log_prob =
      model.log_prob(x.narrow(0, 0, 1000));  // nats, exact in two dimensions
  const at::Tensor samples = model.sample(5);
  std::printf("%lld steps, log p(x) = %.3f, first sample (%.3f, %.3f), in %s\n",
              static_cast<long long>(report.step), log_prob.mean().item<double>(),
              samples[0][0].item<double>(), samples[0][1].item<double>(), path);
}
