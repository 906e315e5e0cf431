// Runs on events [C, H, W]: front, training, checkpoint, resume.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/evaluation/row_feed.h"
#include "contraflow/runs/model.h"
#include "contraflow/runs/train.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensors.h"

namespace contraflow::testing {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json dense_net() { return {{"kind", "dense"}, {"depth", 1}, {"growth", 4}, {"kernels", {3, 1}}}; }

Json sequential_net() {
  return {{"kind", "sequential"}, {"hidden", {4, 4}}, {"kernels", {3, 1, 3}}};
}

Json image_config(const Json& net = dense_net()) {
  return {
      {"data", {{"name", "digits_images"}, {"flip", true}, {"crop_padding", 1}, {"test_rows", 50}}},
      {"model", {{"preset", "idensenet"}, {"blocks", 2}, {"net", net}, {"actnorm", true}}},
      {"training",
       {{"steps", 4}, {"batch_size", 8}, {"validate_every", 2}, {"validation_rows", 16}}}};
}

PreparedRun prepared(const Json& config) {
  return prepare_run(run_config_from_json(config, "test"));
}

std::vector<std::string> types_in(const PreparedRun& run) {
  std::vector<std::string> out;
  for (const Json& member : run.spec.transform["transforms"]) out.push_back(member["type"]);
  return out;
}

std::string bytes_of_checkpoint(const TempFolder& folder) {
  return read_bytes(folder / "run" / "checkpoint.safetensors");
}

TEST(ImageRun, TrainedAndLoadedWithEitherNet) {
  for (const Json& net : {dense_net(), sequential_net()}) {
    TempFolder folder;
    PreparedRun run = prepared(image_config(net));
    EXPECT_EQ(run.flow->event_shape(), (std::vector<int64_t>{1, 8, 8}));
    const RunFolder place(folder / "run", RunMode::kNew, run.config_toml());
    const TrainReport report = train(run, place);
    EXPECT_EQ(report.status, TrainStatus::kCompleted);
    EXPECT_TRUE(report.best.has_value());
    const Model model = load(folder / "run");
    const at::Tensor x = split_of(open_data(model), "test").rows(0, 20).x;
    EXPECT_EQ(x.sizes(), at::IntArrayRef({20, 1, 8, 8}));
    EXPECT_TRUE(at::isfinite(model.log_prob(x)).all().item<bool>());
    const at::Tensor sample = model.sample(3);
    EXPECT_EQ(sample.sizes(), at::IntArrayRef({3, 1, 8, 8}));
    EXPECT_TRUE(at::equal(sample, sample.round().clamp(0, 16)));
  }
}

TEST(ImageRun, GoesOnBitForBit) {
  TempFolder whole, parts;
  {
    PreparedRun run = prepared(image_config());
    train(run, RunFolder(whole / "run", RunMode::kNew, run.config_toml()));
  }
  for (const int64_t stop : {1, 3, 4}) {
    PreparedRun run = prepared(image_config());
    const RunMode mode = stop == 1 ? RunMode::kNew : RunMode::kResume;
    int64_t step = 0;
    TrainerHooks hooks;
    hooks.on_step = [&step](const MetricsRecord& record) { step = record.step; };
    hooks.should_stop = [&step, stop] { return step >= stop; };
    EXPECT_EQ(train(run, RunFolder(parts / "run", mode, run.config_toml()), hooks).step, stop);
  }
  EXPECT_EQ(bytes_of_checkpoint(whole), bytes_of_checkpoint(parts));
}

TEST(ImageRun, LevelsAreCountedInAllTrainingImages) {
  const PreparedRun run = prepared(image_config());
  const int64_t images = run.dataset.splits.train->size().value();
  EXPECT_EQ(run.config.training.init_rows, std::max<int64_t>(images, 5000));
  Json few = image_config();
  few["training"]["init_rows"] = 10;
  EXPECT_EQ(prepared(few).config.training.init_rows, images);
  few["model"]["dequantization"] = "uniform";
  EXPECT_EQ(prepared(few).config.training.init_rows, 10) << "nothing is counted";
}

TEST(ImageRun, DequantizationIsAChoice) {
  Json config = image_config();
  EXPECT_THAT(types_in(prepared(config)),
              ElementsAre("marginal_dequantize", "actnorm", "contractive_block", "actnorm",
                          "contractive_block", "actnorm"));
  config["model"]["blocks"] = 1;
  config["model"]["dequantization"] = "uniform";
  config["model"]["logit_alpha"] = 1e-6;
  const PreparedRun uniform = prepared(config);
  EXPECT_THAT(types_in(uniform), ElementsAre("dequantize", "logit", "standardize", "actnorm",
                                             "contractive_block", "actnorm"));
  EXPECT_EQ(uniform.spec.transform["transforms"][1]["alpha"], 1e-6);
  config["model"]["dequantization"] = "marginal";
  config["model"]["mass_table"] = "shared";
  EXPECT_EQ(prepared(config).spec.transform["transforms"][0]["table"], "shared");
  config["model"]["logit"] = true;
  EXPECT_THAT(error_of<ConfigError>([&] { prepared(config); }),
              HasSubstr("[model] logit: expected false with dequantization = 'marginal'"));
}

TEST(ImageRun, EveryBaseIsOneForImages) {
  for (const char* base : {"normal", "logistic", "diagonal_normal", "normal_mixture"}) {
    TempFolder folder;
    Json config = image_config();
    config["model"]["base"] = base;
    config["training"]["steps"] = 2;
    PreparedRun run = prepared(config);
    const int64_t learned = parameter_count(*run.flow->base());
    train(run, RunFolder(folder / "run", RunMode::kNew, run.config_toml()));
    const Model model = load(folder / "run");
    EXPECT_EQ(model.spec.base["event"], (Json{1, 8, 8})) << base;
    EXPECT_EQ(parameter_count(*model.flow->base()), learned) << base;
    bool moved = learned == 0;
    for (const at::Tensor& p : model.flow->base()->parameters())
      moved = moved || p.ne(0.0).any().item<bool>();
    EXPECT_TRUE(moved) << base;
    EXPECT_EQ(model.sample(2).sizes(), at::IntArrayRef({2, 1, 8, 8})) << base;
  }
}

TEST(ImageRun, ModelsOfRowsNameTheRemedies) {
  Json config = image_config();
  config["model"]["net"].erase("kernels");
  const std::string text = error_of<ConfigError>([&] { prepared(config); });
  for (const char* part :
       {"[model] net.kernels", "events of shape [1, 8, 8]", "[3, 1, 3]", "data.flatten = true"})
    EXPECT_THAT(text, HasSubstr(part));
  config = image_config();
  config["data"] = {{"name", "digits_images"}, {"flatten", true}};
  EXPECT_THAT(error_of<ConfigError>([&] { prepared(config); }), HasSubstr("the event 64"));
}

}  // namespace
}  // namespace contraflow::testing
