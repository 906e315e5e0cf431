#include "contraflow/runs/train.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "contraflow/evaluation/row_feed.h"
#include "contraflow/runs/model.h"
#include "tests/support/temp_folder.h"

namespace contraflow::testing {
namespace {

using Json = nlohmann::ordered_json;

PreparedRun small_run(int64_t steps) {
  const Json json{
      {"data", {{"name", "moons"}, {"test_rows", 100}, {"validation_rows", 64}}},
      {"model", {{"blocks", 2}, {"net", {{"depth", 1}, {"growth", 4}}}}},
      {"training",
       {{"steps", steps}, {"batch_size", 32}, {"validate_every", 2}, {"init_rows", 64}}}};
  return prepare_run(run_config_from_json(json, "test"));
}

TEST(RunsTrain, WhatItWritesIsLoaded) {
  TempFolder folder;
  PreparedRun run = small_run(4);
  const RunFolder place(folder / "run", RunMode::kNew, run.config_toml());
  const TrainReport report = train(run, place);
  EXPECT_EQ(report.status, TrainStatus::kCompleted);
  const Model model = load(folder / "run");
  ASSERT_TRUE(model.run.has_value());
  EXPECT_EQ(model.config().data.name, "moons");
  const data::Dataset dataset = open_data(model);
  const at::Tensor x = split_of(dataset, "test").rows(0, 100).x;
  run.flow->to(at::kDouble);
  EXPECT_TRUE(at::equal(model.log_prob(x), run.flow->log_prob(x)));
}

TEST(RunsTrain, GoesOnWhereItStopped) {
  TempFolder folder;
  PreparedRun first = small_run(4);
  TrainerHooks hooks;
  hooks.should_stop = [] { return true; };
  {
    const RunFolder place(folder / "run", RunMode::kNew, first.config_toml());
    EXPECT_EQ(train(first, place, hooks).step, 1);
  }
  PreparedRun second = small_run(4);
  const RunFolder place(folder / "run", RunMode::kResume, second.config_toml());
  EXPECT_EQ(train(second, place).step, 4);
  PreparedRun whole = small_run(4);
  const RunFolder other(folder / "whole", RunMode::kNew, whole.config_toml());
  train(whole, other);
  const at::Tensor x = at::linspace(-1.0, 1.0, 20, at::kFloat).view({10, 2});
  EXPECT_TRUE(at::equal(second.flow->log_prob(x), whole.flow->log_prob(x)));
}

}  // namespace
}  // namespace contraflow::testing
