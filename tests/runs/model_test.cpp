#include "contraflow/runs/model.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "contraflow/data/given.h"
#include "contraflow/models/presets.h"
#include "contraflow/runs/fit.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensors.h"

namespace contraflow::testing {
namespace {

using ::testing::HasSubstr;

FlowPtr saved_flow(int64_t condition = 0) {
  ContractiveOptions options = models::contractive_preset("monotone");
  options.blocks = 2;
  options.net.depth = 1;
  options.net.growth = 4;
  options.standardize = false;  // needs data first
  return build_flow(contractive_spec(options, {.event = 2, .condition = condition}));
}

at::Tensor points() { return at::linspace(-1.0, 1.0, 20, at::kDouble).view({10, 2}); }

TEST(RunsModel, LoadedIsWhatWasSaved) {
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    TempFolder folder;
    const FlowPtr flow = saved_flow();
    flow->to(dtype);
    save(*flow, folder / "flow.safetensors");
    const Model model = load(folder / "flow.safetensors");
    flow->to(at::kDouble);
    EXPECT_TRUE(at::equal(model.log_prob(points()), flow->log_prob(points())));
    EXPECT_EQ(model.columns.names, (std::vector<std::string>{"x0", "x1"}));
    EXPECT_FALSE(model.run.has_value());
    EXPECT_EQ(model.weights, WeightChoice::kLast);
  }
}

// The norms too are those that the flow had: proven anew they would differ in the last bits.
TEST(RunsModel, ATrainedFlowLoadsBitForBit) {
  TempFolder folder;
  const FlowPtr flow = saved_flow();
  fit(*flow, Rng(3).normal({200, 2}, at::kFloat),
      {.training = {.steps = 7, .batch_size = 50, .validate_every = 0}, .validation_fraction = 0});
  save(*flow, folder / "flow.safetensors");
  const Model model = load(folder / "flow.safetensors", {.dtype = FloatType::kFloat32});
  const at::NoGradGuard no_gradients;
  EXPECT_TRUE(
      at::equal(model.log_prob(points()), flow->log_prob(points().to(at::kFloat)).to(at::kDouble)));
}

TEST(RunsModel, KeepsTheColumnsThatItIsGiven) {
  TempFolder folder;
  const FlowPtr flow = saved_flow(3);
  data::Columns columns{.event_shape = {2}, .names = {"pt", "eta"}, .condition = {"mass"}};
  EXPECT_THAT(error_of<ConfigError>([&] { save(*flow, folder / "f.safetensors", columns); }),
              HasSubstr("3 numbers of condition"));
  columns.label = "kind";
  columns.classes = 2;
  columns.bounds = {-1.0, 1.0};
  save(*flow, folder / "f.safetensors", columns);
  const Model model = load(folder / "f.safetensors");
  EXPECT_EQ(model.columns.names, columns.names);
  EXPECT_EQ(model.columns.condition_size(), 3);
  const at::Tensor condition = at::ones({10, 3}, at::kDouble);
  EXPECT_EQ(model.log_prob(points(), condition).size(0), 10);
  EXPECT_THAT(error_of<DomainError>([&] { model.log_prob(points() * 3.0, condition); }),
              HasSubstr("row 0, column 'pt'"));
}

TEST(RunsModel, AConditionIsGivenByTheNamesOfItsColumns) {
  const data::Columns columns{.event_shape = {2},
                              .names = {"pt", "eta"},
                              .condition = {"mass"},
                              .label = "kind",
                              .classes = 2};
  const at::Tensor row = data::condition_of(columns, {{"kind", 1}, {"mass", 0.5}});
  EXPECT_TRUE(at::equal(row, at::tensor({0.5, 0.0, 1.0}, at::kDouble).unsqueeze(0)));
  const auto given = [&](const std::map<std::string, double>& values) {
    return error_of<Error>([&] { data::condition_of(columns, values); });
  };
  EXPECT_THAT(given({{"mass", 0.5}}), HasSubstr("kind"));
  EXPECT_THAT(given({{"mass", 0.5}, {"kin", 1}}), HasSubstr("Did you mean 'kind'?"));
  EXPECT_THAT(given({{"mass", 0.5}, {"kind", 2}}), HasSubstr("class"));
}

TEST(RunsModel, SamplesDependOnTheSeedAlone) {
  TempFolder folder;
  save(*saved_flow(), folder / "f.safetensors");
  const Model model = load(folder / "f.safetensors");
  EXPECT_TRUE(at::allclose(model.sample(7), model.sample(20).narrow(0, 0, 7)));
  EXPECT_FALSE(at::allclose(model.sample(7), model.sample(7, /*seed=*/1)));
  EXPECT_EQ(model.sample(7).scalar_type(), at::kDouble);
}

TEST(RunsModel, WithoutAConfigThereIsNoData) {
  TempFolder folder;
  save(*saved_flow(), folder / "f.safetensors");
  const Model model = load(folder / "f.safetensors");
  EXPECT_THAT(error_of<ConfigError>([&] { open_data(model); }), HasSubstr("without a config"));
}

TEST(RunsModel, SetReachesBlocksInsideOthersAndSaysWhereItReachesNone) {
  TempFolder folder;
  const FlowPtr inner = saved_flow();
  const FlowSpec spec = spec_of(*inner);
  const FlowSpec nested{{{"type", "inverse"}, {"transform", spec.transform}}, spec.base};
  save(*build_flow(nested), folder / "nested.safetensors");
  const Model model =
      load(folder / "nested.safetensors", {.set = {"model.eval_log_det=truncated"}});
  EXPECT_EQ(model.flow->randomness(Phase::kEvaluate), Randomness::kBiased);
  const FlowSpec affine{{{"type", "scale"}, {"event", 2}}, {{"type", "normal"}, {"event", 2}}};
  save(*build_flow(affine), folder / "affine.safetensors");
  EXPECT_THAT(error_of<ConfigError>([&] {
                load(folder / "affine.safetensors", {.set = {"model.eval_log_det=truncated"}});
              }),
              HasSubstr("model.eval_log_det"));
}

TEST(RunsModel, CudaWithoutACardIsAnError) {
  if (at::hasCUDA()) GTEST_SKIP() << "there is a card";
  TempFolder folder;
  save(*saved_flow(), folder / "f.safetensors");
  const auto loaded = [&] { load(folder / "f.safetensors", {.device = DeviceKind::kCuda}); };
  EXPECT_THAT(error_of<ConfigError>(loaded), HasSubstr("--device"));
}

TEST(RunsModel, ImagesKeepTheirShape) {
  TempFolder folder;
  const FlowSpec spec{{{"type", "scale"}, {"event", {2, 3, 3}}},
                      {{"type", "normal"}, {"event", {2, 3, 3}}}};
  save(*build_flow(spec), folder / "image.safetensors");
  const Model model = load(folder / "image.safetensors");
  EXPECT_EQ(model.columns.dim(), 18);
  EXPECT_EQ(model.sample(4).sizes(), at::IntArrayRef({4, 2, 3, 3}));
  EXPECT_EQ(model.log_prob(model.sample(4)).size(0), 4);
}

}  // namespace
}  // namespace contraflow::testing
