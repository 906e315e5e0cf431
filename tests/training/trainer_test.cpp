#include "contraflow/training/trainer.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <cmath>

#include "contraflow/training/evaluation.h"
#include "contraflow/transforms/contractive_block.h"
#include "tests/support/tensors.h"
#include "tests/training/same_bits.h"
#include "tests/training/training_support.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::near;
using testing::normal_rows;
using testing::Normed;
using testing::same_bits;
using testing::small_flow;
using testing::small_options;
using testing::small_splits;
using testing::TempFolder;

TrainingOptions short_options(int64_t steps) {
  TrainingOptions options = small_options();
  options.steps = steps;
  options.schedule = {};
  return options;
}

TEST(Fit, LearnsANormal) {
  TrainingOptions options = small_options();
  options.steps = 300;
  const FlowPtr flow = small_flow();
  const TrainReport report = fit(*flow, small_splits(), options);
  EXPECT_EQ(report.status, TrainStatus::kCompleted);
  EXPECT_EQ(report.step, 300);
  // Entropy of the data: two coordinates of deviation 2. Within four errors of the mean over 80
  // rows.
  const double entropy = 2.0 * (0.5 * std::log(2.0 * M_PI * M_E) + std::log(2.0));
  EXPECT_NEAR(report.best->loss.mean, entropy, 4.0 * report.best->loss.standard_error);
  EXPECT_LT(report.best->loss.standard_error, 0.3);
  for (const at::Tensor& p : flow->parameters()) EXPECT_FALSE(p.grad().defined());
}

TEST(Fit, RecordsTheTrueLossAtTheRightSteps) {
  std::vector<MetricsRecord> records;
  int64_t steps = 0;
  TrainerHooks hooks;
  hooks.on_record = [&records](const MetricsRecord& r) { records.push_back(r); };
  hooks.on_step = [&steps](const MetricsRecord& r) { EXPECT_EQ(r.step, ++steps); };
  TrainingOptions options = small_options();
  options.steps = 18;
  const FlowPtr flow = small_flow();
  const FlowPtr twin = small_flow();
  fit(*flow, small_splits(), options, hooks);
  std::vector<int64_t> logged, validated;
  for (const MetricsRecord& r : records) {
    logged.push_back(r.step);
    if (r.validation) validated.push_back(r.step);
  }
  EXPECT_EQ(steps, 18);
  EXPECT_EQ(logged, (std::vector<int64_t>{1, 4, 8, 12, 16, 18}));
  EXPECT_EQ(validated, (std::vector<int64_t>{8, 16, 18}));
  EXPECT_EQ(records[0].learning_rate, 0.02 / 5);  // warm-up

  // The first loss again by hand: ActNorm from the first 200 rows, then one prepare for the step.
  const data::Splits splits = small_splits();
  twin->prepare(splits.train->rows(0, 200).x);
  twin->prepare({});
  const data::Batch batch = splits.train->batch(0, 32);
  const Rng rng = Rng(0).fork("train").fork(uint64_t{0}).fork("loss").rows_from(batch.first_row);
  const at::Tensor nll =
      -twin->log_prob(batch.x, {.condition = {}, .rng = rng, .phase = Phase::kTrain});
  EXPECT_NEAR(records[0].loss.mean, nll.mean().item<double>(), 1e-6);
  EXPECT_NEAR(records[0].loss.standard_error, nll.std().item<double>() / std::sqrt(32.0), 1e-6);
}

TEST(Fit, SameSeedSameBitsOtherSeedOtherBits) {
  TrainingOptions options = small_options();
  const FlowPtr a = small_flow(), b = small_flow(), c = small_flow();
  fit(*a, small_splits(), options);
  fit(*b, small_splits(), options);
  options.seed = 1;  // the noise of the log-determinant does not reach this flow's gradient, ...
  const TrainReport other = fit(*c, small_splits(), options);
  EXPECT_TRUE(same_bits(state_of(*a), state_of(*b)));
  EXPECT_NE(other.loss->mean,
            fit(*b, small_splits(), small_options()).loss->mean);  // ... but the loss
}

TEST(Fit, ValidationDoesNotChangeTraining) {
  TrainingOptions options = small_options();
  TempFolder folder;
  const auto last = [&](int64_t validate_every) {
    options.validate_every = validate_every;
    TrainerHooks hooks;
    hooks.checkpoint_path = folder.path() / std::to_string(validate_every);
    fit(*small_flow(), small_splits(), options, hooks);
    return load_checkpoint(hooks.checkpoint_path);
  };
  const Checkpoint without = last(0), with = last(3);
  EXPECT_TRUE(same_bits(without.weights, with.weights));
  EXPECT_TRUE(same_bits(without.ema, with.ema));
}

TEST(Fit, TheBestWeightsComeBackAndEvaluateToTheBestLoss) {
  TrainingOptions options = small_options();
  options.steps = 60;
  options.adam.learning_rate = 0.3;  // overshoots: the last is not the best
  options.ema_decay = 0.0;
  options.schedule = {};
  const FlowPtr flow = small_flow();
  double last = 0.0;
  TrainerHooks hooks;
  hooks.on_record = [&last](const MetricsRecord& r) {
    last = r.validation ? r.validation->mean : last;
  };
  const data::Splits splits = small_splits();
  const TrainReport report = fit(*flow, splits, options, hooks);
  ASSERT_EQ(report.weights, WeightChoice::kBest);
  EXPECT_LT(report.best->loss.mean, last);
  const Estimate again = evaluate_loss(
      *flow, *splits.validation, {.rows = 80, .batch_size = 32, .rng = Rng(0).fork("validate")});
  EXPECT_EQ(again.mean, report.best->loss.mean);
}

TEST(Fit, PatienceStopsEarly) {
  TrainingOptions options = small_options();
  options.steps = 10'000;
  options.patience = 3;
  options.schedule = {};
  options.adam.learning_rate = 0.3;
  const TrainReport report = fit(*small_flow(), small_splits(), options);
  EXPECT_EQ(report.status, TrainStatus::kEarlyStopped);
  EXPECT_EQ(report.step, report.best->step + 3 * options.validate_every);
}

TEST(Fit, DtypeConvertsTheFlowAndBuffersKeepTheirs) {
  TrainingOptions options = short_options(2);
  options.dtype = FloatType::kFloat64;
  const FlowPtr flow = small_flow();
  fit(*flow, small_splits(), options);  // float32 data
  EXPECT_EQ(flow->named_parameters()["transform.0.shift"].scalar_type(), at::kDouble);
  EXPECT_EQ(flow->named_buffers()["transform.1.calls"].scalar_type(), at::kLong);
}

TEST(Fit, TrainsOnTheDeviceOfTheOptions) {
  TrainingOptions options = short_options(2);
  options.device = DeviceKind::kAuto;
  const FlowPtr flow = small_flow();
  fit(*flow, small_splits(), options);
  EXPECT_EQ(flow->parameters()[0].is_cuda(), at::hasCUDA());
  options.device = DeviceKind::kCpu;  // back again
  fit(*flow, small_splits(), options);
  EXPECT_TRUE(flow->parameters()[0].is_cpu());
  if (at::hasCUDA()) return;
  options.device = DeviceKind::kCuda;
  EXPECT_THAT(error_of<ConfigError>([&] { fit(*flow, small_splits(), options); }),
              HasSubstr("[training] device: expected a CUDA card"));
}

TEST(Fit, ThreadsAreSetForTheRunOnly) {
  const int before = at::get_num_threads();
  TrainingOptions options = short_options(1);
  options.threads = before + 1;
  int during = 0;
  TrainerHooks hooks;
  hooks.on_step = [&during](const MetricsRecord&) { during = at::get_num_threads(); };
  fit(*small_flow(), small_splits(), options, hooks);
  EXPECT_EQ(during, before + 1);
  EXPECT_EQ(at::get_num_threads(), before);
}

TEST(Fit, ANonFiniteGradientStopsBeforeTheUpdateAndNamesItsOrigin) {
  const TempFolder folder;
  TrainerHooks hooks;
  hooks.checkpoint_path = folder.path() / "c";
  // prepare() is called once for initialisation: the fifth call is that of step 4.
  const FlowPtr flow = small_flow(std::make_shared<Normed>(0.01, Normed::Fault::kBackward, 5));
  const std::string text =
      error_of<NumericsError>([&] { fit(*flow, small_splits(), small_options(), hooks); });
  EXPECT_THAT(text, HasSubstr("gradient at step 4"));
  // The actnorm before it has bad gradients too; it is not where they come from.
  EXPECT_THAT(text, HasSubstr("gradient of transform.1.weight (block transform.1)"));
  EXPECT_THAT(text, HasSubstr(hooks.checkpoint_path.string()));
  const Checkpoint saved = load_checkpoint(hooks.checkpoint_path);
  EXPECT_EQ(saved.counters.step, 3);

  TrainerHooks good;
  good.checkpoint_path = folder.path() / "good";
  int64_t done = 0;
  good.should_stop = [&done] { return ++done == 3; };
  fit(*small_flow(), small_splits(), small_options(), good);
  const Checkpoint wanted = load_checkpoint(good.checkpoint_path);
  EXPECT_TRUE(same_bits(saved.ema, wanted.ema));
  EXPECT_TRUE(same_bits(saved.first_moment, wanted.first_moment));
}

TEST(Fit, ANonFiniteLossNamesTheBlock) {
  const FlowPtr flow = small_flow(std::make_shared<Normed>(0.01, Normed::Fault::kForward, 3));
  const std::string text =
      error_of<NumericsError>([&] { fit(*flow, small_splits(), small_options()); });
  EXPECT_THAT(text, HasSubstr("loss at step 2"));
  EXPECT_THAT(text, HasSubstr("transform.1.weight (block transform.1)"));
}

TEST(Fit, AParameterThatIsNotFiniteIsNamed) {
  const FlowPtr flow = small_flow();
  TrainerHooks hooks;
  hooks.on_step = [&flow](const MetricsRecord& r) {
    const at::NoGradGuard no_grad;
    if (r.step == 2) flow->named_parameters()["base.log_scale"][1].fill_(std::nan(""));
  };
  const TempFolder folder;
  hooks.checkpoint_path = folder.path() / "c";
  const std::string text =
      error_of<NumericsError>([&] { fit(*flow, small_splits(), small_options(), hooks); });
  EXPECT_THAT(text, HasSubstr("value of base.log_scale (block base)"));
  EXPECT_FALSE(std::filesystem::exists(hooks.checkpoint_path));  // that state is not a good one
}

TEST(Fit, WeightsOfRowsCount) {
  // Rows of weight zero are as if they were not there.
  const at::Tensor x = Rng(5).normal({64, 2}, at::kFloat);
  const at::Tensor far = x + 100.0;
  const at::Tensor weight = at::cat({at::ones({64}), at::zeros({64})});
  const auto source =
      std::make_shared<data::TensorSource>("w", at::cat({x, far}), at::Tensor(), weight, Rng(1));
  const Estimate value = weighted_mean(at::cat({x, far}).sum(1), weight);
  EXPECT_NEAR(value.mean, x.sum(1).mean().item<double>(), 1e-6);
  TrainingOptions options = short_options(1);
  options.validate_every = 0;
  options.init_rows = 64;
  options.batch_size = 128;
  const FlowPtr flow = small_flow();
  const TrainReport report = fit(*flow, {source, nullptr, nullptr}, options);
  EXPECT_LT(report.loss->mean, 4.0);  // the far rows would cost thousands of nats
}

TEST(Fit, BadInputsAreErrorsBeforeAnyStep) {
  const data::Splits good = small_splits();
  const auto attempt = [](const data::Splits& splits, const TrainingOptions& options) {
    const FlowPtr flow = small_flow();
    return [=] { fit(*flow, splits, options); };
  };
  TrainingOptions options = small_options();
  error_of<ConfigError>(attempt({nullptr, good.validation, nullptr}, options));
  error_of<ConfigError>(attempt({good.train, nullptr, nullptr}, options));
  const auto wide = std::make_shared<data::TensorSource>("wide", at::zeros({9, 3}), at::Tensor(),
                                                         at::Tensor(), Rng(1));
  EXPECT_THAT(error_of<ShapeError>(attempt({wide, good.validation, nullptr}, options)),
              HasSubstr("[3]"));
  options.batch_size = 0;
  EXPECT_THAT(error_of<ConfigError>(attempt(good, options)), HasSubstr("batch_size"));
  options = small_options();
  options.validate_every = 0;
  options.patience = 2;
  EXPECT_THAT(error_of<ConfigError>(attempt(good, options)), HasSubstr("patience"));
  options = small_options();
  options.schedule.warmup_steps = 41;
  EXPECT_THAT(error_of<ConfigError>(attempt(good, options)), HasSubstr("warmup_steps"));
  options = small_options();
  options.objective = "reverse_kl";
  EXPECT_THAT(error_of<ConfigError>(attempt(good, options)), HasSubstr("fit_reverse_kl"));
}

TEST(Fit, ConditionsMustFitTheFlow) {
  const auto rows = [](const at::Tensor& condition) {
    const auto source = std::make_shared<data::TensorSource>(
        "c", Rng(5).normal({64, 2}, at::kFloat), condition, at::Tensor(), Rng(1));
    return data::Splits{source, source, nullptr};
  };
  const FlowPtr plain = small_flow();
  EXPECT_THAT(error_of<ShapeError>([&] {
                fit(*plain, rows(at::ones({64, 3})), small_options());
              }),
              HasSubstr("[fit] training split: expected rows without a condition, got a condition "
                        "of width 3 in every row. "));
  ContractiveBlockOptions block{.event = 2, .condition = 2};
  block.net.depth = 1;
  Flow given(std::make_shared<ContractiveBlock>(block),
             std::make_shared<DiagonalNormal>(DiagonalNormalOptions{.event = 2}));
  EXPECT_THAT(error_of<ShapeError>([&] { fit(given, rows({}), small_options()); }),
              HasSubstr("got rows without a condition"));
  data::Splits splits = rows(at::ones({64, 2}));
  splits.validation = rows(at::ones({64, 1})).train;
  EXPECT_THAT(error_of<ShapeError>([&] { fit(given, splits, small_options()); }),
              HasSubstr("validation split: expected a condition of width 2 in every row, got a "
                        "condition of width 1"));
  at::Tensor bad = at::ones({64, 2});
  bad[3][1] = NAN;
  EXPECT_THAT(error_of<DomainError>([&] { fit(given, rows(bad), small_options()); }),
              HasSubstr("training conditions"));
}

TEST(WeightedMean, ErrorIsThatOfTheMean) {
  const at::Tensor v = at::tensor({1.0, 2.0, 4.0}, at::kDouble);
  const Estimate plain = weighted_mean(v, {});
  EXPECT_DOUBLE_EQ(plain.mean, 7.0 / 3.0);
  EXPECT_NEAR(plain.standard_error, v.std().item<double>() / std::sqrt(3.0), 1e-15);
  EXPECT_EQ(plain.count, 3);
  const Estimate scaled = weighted_mean(v, at::full({3}, 7.0, at::kDouble));
  EXPECT_NEAR(scaled.standard_error, plain.standard_error, 1e-15);  // the scale of weights is free
  EXPECT_TRUE(std::isnan(weighted_mean(v.slice(0, 0, 1), {}).standard_error));
}

TEST(WeightedMean, NeedsWeightsOfAPositiveSumOneForEachValue) {
  const at::Tensor v = at::tensor({1.0, 2.0, 4.0}, at::kDouble);
  EXPECT_THAT(error_of<DomainError>([&] { weighted_mean(v, at::zeros_like(v)); }),
              HasSubstr("a sum of 0"));
  EXPECT_THAT(error_of<DomainError>([&] { weighted_mean(v, v * std::nan("")); }), HasSubstr("nan"));
  EXPECT_THAT(error_of<ShapeError>([&] { weighted_mean(v, v.slice(0, 0, 2)); }), HasSubstr("[2]"));
}

}  // namespace
}  // namespace contraflow
