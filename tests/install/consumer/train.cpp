// Trains a flow, saves it, loads it, and expects its scores: all of the library, by one include.
//
// Usage: train FILE.safetensors
#include <ATen/ATen.h>

#include <contraflow/contraflow.h>
#include <contraflow/fwd.h>
#include <contraflow/version.h>

#include <iostream>

constexpr double kTolerance = 1e-4;  // nats; the bits are a test of the library itself

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto data = contraflow::data::open_data({.name = "moons"});
  const contraflow::FlowPtr flow = contraflow::models::residual_flow({.event = 2, .blocks = 2});
  contraflow::fit(*flow, data.splits, {.steps = 10, .validate_every = 10});
  contraflow::save(*flow, argv[1]);

  const contraflow::Model model =
      contraflow::load(argv[1], {.dtype = contraflow::FloatType::kFloat32});
  const at::Tensor x = data.splits.test->rows(0, 100).x;
  const at::NoGradGuard no_gradients;
  const at::Tensor expected = flow->log_prob(x).to(at::kDouble);
  const at::Tensor got = model.log_prob(x);
  std::cout << "contraflow " CONTRAFLOW_VERSION ": mean log p(x) of the loaded flow "
            << got.mean().item<double>() << ", of the trained one "
            << expected.mean().item<double>() << "\n";
  return (got - expected).abs().max().item<double>() <= kTolerance ? 0 : 1;
}
