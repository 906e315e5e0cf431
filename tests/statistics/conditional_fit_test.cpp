// Conditional densities that were trained: against the truth where it is known, against the same
// model without its condition, and against labels that say nothing.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>

#include "contraflow/data/dataset.h"
#include "contraflow/data/sources.h"
#include "contraflow/models/contractive.h"
#include "contraflow/training/trainer.h"
#include "tests/support/temp_folder.h"

namespace contraflow {
namespace {

using testing::TempFolder;

Estimate mean_of(const at::Tensor& values) {
  const double rows = static_cast<double>(values.numel());
  return {values.mean().item<double>(), values.std().item<double>() / std::sqrt(rows),
          values.numel()};
}

void report(const std::string& what, const Estimate& value) {
  std::cout << "[ measured ] " << what << ": " << value.mean << " +- " << value.standard_error
            << " nats\n";
}

TrainingOptions short_training(int64_t steps) {
  TrainingOptions o;
  o.steps = steps;
  o.batch_size = 256;
  o.adam.learning_rate = 1e-2;
  o.schedule.kind = Schedule::kCosine;
  o.validate_every = 0;
  return o;
}

/// -log p(x | c) of every row [N], in float64.
at::Tensor losses(Flow& flow, const data::Batch& batch) {
  const at::NoGradGuard guard;
  flow.to(at::kDouble);
  flow.prepare({});
  const at::Tensor given =
      batch.condition.defined() ? batch.condition.to(at::kDouble) : at::Tensor();
  return -flow.log_prob(batch.x.to(at::kDouble), {.condition = given, .rng = Rng(11)});
}

// ------------------------------------------------------------------------ a toy of known density

/// c uniform on [-1, 1];  x0 = 1.5 sin 2c + s n0, s = exp(c / 2) / 2;
/// x1 = cos 2c + c x0 / 2 + n1 / 2.
/// H(x | c) = log(2 pi e) + E log s + log(1/2) = log(2 pi e) - 2 log 2, as E c = 0.
struct Curve {
  static double entropy() { return std::log(2 * M_PI * M_E) - 2 * std::log(2.0); }

  static at::Tensor spread(const at::Tensor& c) { return 0.5 * (0.5 * c).exp(); }
  static at::Tensor mean0(const at::Tensor& c) { return 1.5 * (2.0 * c).sin(); }
  static at::Tensor mean1(const at::Tensor& c, const at::Tensor& x0) {
    return (2.0 * c).cos() + 0.5 * c * x0;
  }

  static data::Batch rows(int64_t count, const Rng& rng) {
    const at::Tensor c = 2.0 * rng.fork("c").uniform({count}, at::kDouble) - 1.0;
    const at::Tensor n = rng.fork("n").normal({count, 2}, at::kDouble);
    const at::Tensor x0 = mean0(c) + spread(c) * n.select(1, 0);
    const at::Tensor x1 = mean1(c, x0) + 0.5 * n.select(1, 1);
    data::Batch out;
    out.x = at::stack({x0, x1}, 1);
    out.condition = c.unsqueeze(1);
    return out;
  }

  /// -log of the true density, [N].
  static at::Tensor losses(const data::Batch& b) {
    const at::Tensor c = b.condition.select(1, 0), x0 = b.x.select(1, 0), x1 = b.x.select(1, 1);
    const at::Tensor n0 = (x0 - mean0(c)) / spread(c), n1 = (x1 - mean1(c, x0)) / 0.5;
    return 0.5 * (n0.square() + n1.square()) + std::log(2 * M_PI) + (0.5 * spread(c)).log();
  }
};

data::Splits training_rows(const data::Batch& batch, bool with_condition) {
  const at::Tensor given = with_condition ? batch.condition.to(at::kFloat) : at::Tensor();
  return {std::make_shared<data::TensorSource>("rows", batch.x.to(at::kFloat), given, at::Tensor(),
                                               Rng(5)),
          nullptr, nullptr};
}

FlowSpec curve_model(Family family, int64_t condition) {
  ContractiveOptions o{.family = family, .blocks = family == Family::kImplicit ? 1 : 2};
  o.net = {.kind = NetKind::kDense,
           .depth = 2,
           .growth = 12,
           .activation = Activation::kClipSwish,
           .lipschitz = 0.9};
  o.actnorm = true;
  return contractive_spec(o, {.event = 2, .condition = condition});
}

class ConditionalCurve : public ::testing::TestWithParam<Family> {};

// Margins: the mean of 4,000 held-out rows is within 0.1 nats of the true conditional entropy, of
// which 0.016 are the standard error of the rows; without the condition 0.4 nats more are lost.
TEST_P(ConditionalCurve, ComesNearTheTrueConditionalEntropy) {
  const data::Batch train = Curve::rows(20'000, Rng(1)), held_out = Curve::rows(4'000, Rng(2));
  const at::Tensor truth = Curve::losses(held_out);
  ASSERT_NEAR(truth.mean().item<double>(), Curve::entropy(), 4.5 * mean_of(truth).standard_error);

  const FlowPtr given = build_flow(curve_model(GetParam(), 1));
  fit(*given, training_rows(train, true), short_training(300));
  const at::Tensor loss = losses(*given, held_out);
  report("-log p(x | c), true entropy " + std::to_string(Curve::entropy()), mean_of(loss));
  report("excess over the truth on the same rows", mean_of(loss - truth));
  EXPECT_NEAR(mean_of(loss).mean, Curve::entropy(), 0.1);
  EXPECT_GT(mean_of(loss - truth).mean, -4.5 * mean_of(loss - truth).standard_error);

  const FlowPtr blind = build_flow(curve_model(GetParam(), 0));
  fit(*blind, training_rows(train, false), short_training(300));
  data::Batch bare;
  bare.x = held_out.x;
  const at::Tensor blind_loss = losses(*blind, bare);
  report("what the condition is worth", mean_of(blind_loss - loss));
  EXPECT_GT(mean_of(blind_loss - loss).mean, 0.4);

  // Samples given c are those of the conditional, whose mean of x0 moves from -1.4 to 1.4.
  for (const double c : {-0.75, 0.0, 0.75}) {
    constexpr int64_t kSamples = 2000;
    const at::Tensor condition = at::full({kSamples, 1}, c, at::kDouble);
    const at::Tensor x = given->sample(kSamples, {.rng = Rng(3), .condition = condition});
    EXPECT_NEAR(x.select(1, 0).mean().item<double>(), 1.5 * std::sin(2 * c), 0.15) << c;
    EXPECT_NEAR(x.select(1, 0).std().item<double>(), 0.5 * std::exp(0.5 * c), 0.1) << c;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, ConditionalCurve,
                         ::testing::Values(Family::kResidual, Family::kInverseResidual,
                                           Family::kImplicit, Family::kMonotone),
                         [](const auto& test) { return std::string(enum_name(test.param)); });

TEST(ConditionalFit, ACheckpointBringsTheConditionalBack) {
  const TempFolder folder;
  const data::Batch train = Curve::rows(500, Rng(1)), fresh = Curve::rows(20, Rng(2));
  const FlowSpec spec = curve_model(Family::kMonotone, 1);
  const FlowPtr flow = build_flow(spec);
  TrainerHooks hooks;
  hooks.checkpoint_path = folder / "c.safetensors";
  fit(*flow, training_rows(train, true), short_training(4), hooks);
  const FlowPtr again = build_flow(spec);
  load_weights(*again, load_checkpoint(hooks.checkpoint_path), WeightChoice::kSelected, "c");
  const SampleArguments given{.rng = Rng(3), .condition = fresh.condition.to(at::kFloat)};
  EXPECT_TRUE(flow->sample(20, given).equal(again->sample(20, given)));
  EXPECT_TRUE(losses(*flow, fresh).equal(losses(*again, fresh)));
}

// ------------------------------------------------------------------------ digits given the label

FlowSpec digits_model() {
  ContractiveOptions o{.family = Family::kResidual, .blocks = 2, .actnorm = true};
  o.net = {.kind = NetKind::kSequential,
           .hidden = {64},
           .activation = Activation::kLipSwish,
           .lipschitz = 0.9};
  o.logit = true;
  o.logit_alpha = 1e-6;
  o.train_log_det = RussianRoulette{};
  return contractive_spec(o, {.event = 64, .condition = 10, .levels = 17});
}

/// The rows with the labels of other rows: as many of each, but they say nothing.
data::SourcePtr with_shuffled_labels(const data::Source& source) {
  const data::Batch all = source.rows(0, *source.size());
  const at::Tensor order = Rng(21).permutation(all.x.size(0));
  return std::make_shared<data::TensorSource>(
      "shuffled", all.x, all.condition.index_select(0, order), at::Tensor(), Rng(5));
}

TEST(ConditionalFit, LabelsOfDigitsAreWorthNatsUnlessTheyAreShuffled) {
  const data::Dataset digits = data::open_data({.name = "digits", .label = "label"});
  const data::Batch test = digits.splits.test->rows(0, 360);
  const auto held_out = [&](const data::SourcePtr& train, const data::Batch& rows) {
    const FlowPtr flow = build_flow(digits_model());
    TrainingOptions training = short_training(150);
    training.batch_size = 128;
    fit(*flow, {train, nullptr, nullptr}, training);
    return losses(*flow, rows);
  };
  const data::SourcePtr shuffled = with_shuffled_labels(*digits.splits.train);
  const data::Batch shuffled_test = with_shuffled_labels(*digits.splits.test)->rows(0, 360);
  const at::Tensor told = held_out(digits.splits.train, test);
  const at::Tensor misled = held_out(shuffled, shuffled_test);
  report("digits given their label", mean_of(told));
  report("digits given shuffled labels", mean_of(misled));
  const Estimate gain = mean_of(misled - told);  // paired: the same rows and random numbers
  report("gain", gain);
  EXPECT_GT(gain.mean, 1.0);
  EXPECT_GT(gain.mean, 5.0 * gain.standard_error);
}

}  // namespace
}  // namespace contraflow
