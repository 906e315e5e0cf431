#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "contraflow/core/rng.h"
#include "contraflow/runs/run_config.h"
#include "tests/support/npy.h"
#include "tests/support/temp_folder.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;
using testing::TempFolder;
using testing::write_npy;

constexpr int64_t kTableRows = 4000;

PreparedRun prepared(const at::Tensor& rows, const Json& model = Json::object()) {
  TempFolder folder;
  write_npy(folder / "t.npy", rows);
  return prepare_run(run_config_from_json(
      {{"data", {{"name", (folder / "t.npy").string()}}}, {"model", model}}, "test"));
}

std::vector<std::string> types_of(const PreparedRun& run) {
  std::vector<std::string> out;
  for (const Json& member : run.spec.transform["transforms"]) {
    const std::string type = member["type"];
    if (out.empty() || out.back() != type) out.push_back(type);
  }
  return out;
}

at::Tensor normal_table() { return Rng(1).normal({kTableRows, 2}, at::kDouble); }

// Most of its mass in a spike: no flow of a few contractive blocks bends that far.
at::Tensor spiked_table() {
  at::Tensor out = normal_table();
  out.select(1, 0).slice(0, 0, kTableRows, 2).mul_(1e-3);
  return out;
}

TEST(Marginals, NormalColumnsNeedNoCurve) {
  EXPECT_THAT(types_of(prepared(normal_table())),
              ::testing::ElementsAre("columns", "contractive_block"));
}

TEST(Marginals, AColumnThatGainsGetsACurve) {
  const PreparedRun run = prepared(spiked_table());
  EXPECT_THAT(types_of(run),
              ::testing::ElementsAre("columns", "marginal_spline", "contractive_block"));
  const Json& spline = run.spec.transform["transforms"][1];
  EXPECT_GT(spline["knots"][0].get<int64_t>(), 0);
  EXPECT_EQ(spline["knots"][1], 0);
  EXPECT_GE(run.config.training.init_rows, 3200 - 100);
  EXPECT_THAT(types_of(prepared(spiked_table(), {{"marginals", "none"}})),
              ::testing::ElementsAre("columns", "contractive_block"));
}

TEST(Marginals, ListsOfValuesGetTheirMasses) {
  at::Tensor rows = normal_table();
  rows.select(1, 1).copy_((rows.select(1, 1) * 1.0).round().clamp(-2, 2));
  EXPECT_THAT(types_of(prepared(rows)),
              ::testing::ElementsAre("columns", "marginal_dequantize", "contractive_block"));
}

}  // namespace
}  // namespace contraflow
