// Fits a monotone flow to a toy density and asks it for log-densities and samples.
#include <ATen/ATen.h>

#include <cstdio>

#include "contraflow/data/dataset.h"
#include "contraflow/models/presets.h"
#include "contraflow/training/trainer.h"

int main() {
  const auto data = contraflow::data::open_data({.name = "moons"});
  const auto flow = contraflow::models::monotone_flow({.event = 2, .blocks = 4});
  const auto report = contraflow::fit(*flow, data.splits, {.steps = 200, .validate_every = 50});
  const auto x = data.splits.test->rows(0, 1000).x;
  const auto log_prob = flow->log_prob(x);  // nats, one per row, exact in two dimensions
  const auto samples = flow->sample(5, {.rng = contraflow::Rng(1)});
  std::printf("%lld steps, test log p(x) = %.3f, first sample (%.3f, %.3f)\n",
              static_cast<long long>(report.step), log_prob.mean().item<double>(),
              samples[0][0].item<double>(), samples[0][1].item<double>());
}
