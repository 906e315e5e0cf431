#include "contraflow/runs/fit.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/data/toy.h"
#include "contraflow/models/presets.h"
#include "contraflow/runs/model.h"
#include "tests/support/temp_folder.h"

namespace contraflow::testing {
namespace {

at::Tensor moons(int64_t rows) {
  return data::sample_toy(data::toy_density("moons"), Rng(1), rows, at::kFloat);
}

FlowPtr small_flow() { return models::monotone_flow({.event = 2, .blocks = 2}); }

FitOptions short_fit() {
  FitOptions out;
  out.training.steps = 20;
  out.training.batch_size = 100;
  out.training.validate_every = 10;
  return out;
}

TEST(RunsFit, TakesRowsAsTheyAre) {
  const FlowPtr flow = small_flow();
  const TrainReport report = fit(*flow, moons(1000), short_fit());
  EXPECT_EQ(report.step, 20);
  ASSERT_TRUE(report.best.has_value());
  EXPECT_EQ(report.best->loss.count, 100);  // a tenth of the rows
}

TEST(RunsFit, WithoutValidationAllRowsAreTrainedOn) {
  FitOptions options = short_fit();
  options.validation_fraction = 0.0;
  const TrainReport report = fit(*small_flow(), moons(200), options);
  EXPECT_FALSE(report.best.has_value());
}

TEST(RunsFit, ItsCheckpointIsAModel) {
  TempFolder folder;
  FitOptions options = short_fit();
  options.hooks.checkpoint_path = folder / "run.safetensors";
  const FlowPtr flow = small_flow();
  fit(*flow, moons(1000), options);
  const Model model = load(folder / "run.safetensors");
  flow->to(at::kDouble);
  const at::Tensor x = moons(50);
  EXPECT_TRUE(at::equal(model.log_prob(x), flow->log_prob(x.to(at::kDouble))));
  EXPECT_EQ(model.counters.step, 20);
}

}  // namespace
}  // namespace contraflow::testing
