#include "contraflow/training/training_loop.h"

#include "contraflow/training/max_likelihood.h"
#include "contraflow/training/objective_registry.h"
#include "contraflow/training/trainer.h"
#include "tests/support/tensors.h"
#include "tests/training/same_bits.h"
#include "tests/training/training_support.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::same_bits;
using testing::small_flow;
using testing::small_options;
using testing::small_splits;

std::shared_ptr<MaxLikelihood> objective_of(const FlowPtr& flow) {
  return std::make_shared<MaxLikelihood>(flow, small_splits());
}

/// Steps with the validations of fit().
void go_on(TrainingLoop& loop, int64_t until) {
  while (!loop.done() && loop.counters().step < until) {
    const int64_t step = loop.step().step;
    if (step % loop.options().validate_every == 0) loop.validate();
  }
}

TEST(TrainingLoop, ALoopOfOnesOwnIsFit) {
  const FlowPtr own = small_flow(), fitted = small_flow();
  TrainingLoop loop(objective_of(own), small_options());
  go_on(loop, 1000);
  EXPECT_EQ(loop.finish(), WeightChoice::kBest);
  fit(*fitted, small_splits(), small_options());
  EXPECT_TRUE(same_bits(state_of(*own), state_of(*fitted)));
}

TEST(TrainingLoop, GoesOnFromACheckpointInMemory) {
  const FlowPtr first = small_flow(), second = small_flow(), whole = small_flow();
  TrainingLoop begun(objective_of(first), small_options());
  go_on(begun, 19);
  const std::string bytes = checkpoint_to_bytes(begun.checkpoint());
  EXPECT_EQ(checkpoint_to_bytes(checkpoint_from_bytes(bytes)), bytes);
  TrainingLoop resumed(objective_of(second), small_options());
  resumed.restore(checkpoint_from_bytes(bytes));
  EXPECT_TRUE(resumed.saved());
  go_on(resumed, 1000);
  TrainingLoop loop(objective_of(whole), small_options());
  go_on(loop, 1000);
  EXPECT_EQ(checkpoint_to_bytes(resumed.checkpoint()), checkpoint_to_bytes(loop.checkpoint()));
}

TEST(TrainingLoop, ValidatingLeavesTheStateOfTraining) {
  const FlowPtr flow = small_flow();
  TrainingLoop loop(objective_of(flow), small_options());
  go_on(loop, 5);
  const NamedTensors before = clone_state(state_of(*flow));
  const Validation first = loop.validate(), second = loop.validate();
  EXPECT_TRUE(first.is_best);
  EXPECT_FALSE(second.is_best);  // not lower
  EXPECT_EQ(first.loss.mean, second.loss.mean);
  EXPECT_TRUE(same_bits(state_of(*flow), before));
}

TEST(TrainingLoop, TheConfigOfAnEarlierVersionHasTheDefaultsOfThisOne) {
  const FlowPtr flow = small_flow();
  LoopSettings settings;
  settings.config = {{"model", {{"blocks", 2}, {"lipschitz", 0.99}}}};
  TrainingLoop loop(objective_of(flow), small_options(), settings);
  Checkpoint saved = TrainingLoop(objective_of(small_flow()), small_options()).checkpoint();
  saved.config = {{"model", {{"blocks", 2}}}};
  EXPECT_THAT(error_of<ConfigError>([&] { loop.restore(saved); }), HasSubstr("model.lipschitz"));
  settings.resolve_config = [](const nlohmann::ordered_json& stored) {
    nlohmann::ordered_json out = stored;
    if (!out["model"].contains("lipschitz")) out["model"]["lipschitz"] = 0.99;
    return out;
  };
  TrainingLoop resolving(objective_of(small_flow()), small_options(), settings);
  EXPECT_NO_THROW(resolving.restore(saved));
  saved.config["model"]["blocks"] = 3;
  EXPECT_THAT(error_of<ConfigError>([&] { resolving.restore(saved); }),
              HasSubstr("model.blocks: expected 3, got 2"));
}

TEST(TrainingLoop, AnObjectiveMustBeTheOneThatTheOptionsName) {
  TrainingOptions options = small_options();
  options.objective = "reverse_kl";
  EXPECT_THAT(error_of<ConfigError>([&] { TrainingLoop(objective_of(small_flow()), options); }),
              HasSubstr("[fit] training.objective: expected \"max_likelihood\", the objective that "
                        "was given, got \"reverse_kl\". Use fit_reverse_kl()"));
}

/// Encoder and decoder of a row, trained together: no flow in sight.
class Autoencoder final : public Objective {
 public:
  struct Parts : torch::nn::Module {
    Parts() {
      encoder = register_parameter("encoder", at::full({2, 1}, 0.3));
      decoder = register_parameter("decoder", at::full({1, 2}, 0.2));
    }
    at::Tensor encoder, decoder;
  };

  std::string name() const override { return "autoencoder"; }
  torch::nn::Module& module() const override { return *parts_; }
  void check(const TrainingOptions&) const override {}
  void initialise(int64_t, const at::TensorOptions&, const Rng&) const override {}
  StepLoss add_gradient(const ObjectiveStep& step) const override {
    const RowShare share = share_of(step.batch_size, step.collective);
    const at::Tensor x = points(share, step.rng, step.kind);
    const at::Tensor loss = losses(x);
    mean_part(loss, share).backward();
    return {{loss.detach(), {}, share}, x, {}};
  }
  RowLosses validate(const ValidationStep& step) const override {
    const at::NoGradGuard no_grad;
    const RowShare share = share_of(step.rows, step.collective);
    return {losses(points(share, step.rng, parts_->encoder.options())), {}, share};
  }

 private:
  // On a line: one number says where.
  static at::Tensor points(const RowShare& share, const Rng& rng, const at::TensorOptions& kind) {
    const at::Tensor t = rng.rows_from(share.begin).normal({share.size(), 1}, kind);
    return at::cat({t, 2.0 * t}, 1);
  }
  at::Tensor losses(const at::Tensor& x) const {
    return (x.matmul(parts_->encoder).matmul(parts_->decoder) - x).square().sum(1);
  }

  std::shared_ptr<Parts> parts_ = std::make_shared<Parts>();
};

TEST(TrainingLoop, TrainsWhatIsNoFlow) {
  const Autoencoder objective;
  TrainingOptions options = small_options();
  options.objective = "autoencoder";
  options.steps = 300;
  options.schedule = {};
  const testing::TempFolder folder;
  TrainerHooks hooks;
  hooks.checkpoint_path = folder / "c";
  const TrainReport report = fit(objective, options, hooks);
  ASSERT_TRUE(report.best.has_value());
  EXPECT_LT(report.best->loss.mean, 1e-2);  // from about 4
  const Checkpoint saved = load_checkpoint(hooks.checkpoint_path);
  EXPECT_EQ(saved.weights.count("encoder"), 1U);
  EXPECT_THAT(error_of<IoError>([&] { flow_of(saved, "c"); }),
              HasSubstr("c: expected a checkpoint that holds its flow as data, got one without"));
}

TEST(TrainingLoop, NamesTheParameterThatIsNotFiniteInAnyModule) {
  const Autoencoder objective;
  TrainingOptions options = small_options();
  options.objective = "autoencoder";
  TrainerHooks hooks;
  hooks.on_step = [&objective](const MetricsRecord& record) {
    const at::NoGradGuard no_grad;
    if (record.step == 2) objective.module().named_parameters()["decoder"][0][1].fill_(NAN);
  };
  EXPECT_THAT(error_of<NumericsError>([&] { fit(objective, options, hooks); }),
              HasSubstr("loss at step 3: expected finite values, got nan or infinity in the value "
                        "of decoder"));
}

TEST(ObjectiveRegistry, EveryEntryMakesTheObjectiveOfItsName) {
  ASSERT_GE(objective_registry().size(), 2U);
  const ObjectiveInputs inputs{.flow = small_flow(),
                               .splits = small_splits(),
                               .energy = [](const at::Tensor& x) { return x.square().sum(1); }};
  for (const ObjectiveEntry& entry : objective_registry()) {
    TrainingOptions options;
    options.objective = entry.name;
    const auto objective = make_objective(inputs, options);
    EXPECT_EQ(objective->name(), entry.name);
    EXPECT_EQ(&objective->module(), inputs.flow.get());
    EXPECT_FALSE(entry.summary.empty());
    EXPECT_FALSE(entry.use.empty());
  }
}

TEST(ObjectiveRegistry, WhatIsMissingIsAnError) {
  ObjectiveInputs nothing;
  nothing.flow = small_flow();
  TrainingOptions options;
  EXPECT_THAT(error_of<ConfigError>([&] { make_objective(nothing, options); }),
              HasSubstr("without rows, got \"max_likelihood\""));
  options.objective = "reverse_kl";
  EXPECT_THAT(error_of<ConfigError>([&] { make_objective(nothing, options); }),
              HasSubstr("without an energy, got \"reverse_kl\""));
  EXPECT_THAT(error_of<ConfigError>([] { find_objective("revers_kl", "train"); }),
              HasSubstr("Did you mean 'reverse_kl'?"));
}

}  // namespace
}  // namespace contraflow
