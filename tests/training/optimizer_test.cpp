#include "contraflow/training/optimizer.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "contraflow/core/options.h"
#include "contraflow/core/rng.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using nlohmann::json;
using testing::near;

// Products and sums in another order: some roundings of 2^-53.
constexpr double kRounding = 1e-14;

struct Vector : torch::nn::Module {
  explicit Vector(const at::Tensor& start) { p = register_parameter("p", start.clone()); }
  at::Tensor p;
};

at::Tensor tensor_of(const json& numbers) {
  return at::tensor(numbers.get<std::vector<double>>(), at::kDouble);
}

TEST(Adam, AgreesWithTheReferenceImplementationAtEveryStep) {
  std::ifstream in(std::string(CONTRAFLOW_TEST_DATA) + "/optimizer/adam.json");
  const json golden = json::parse(in);
  ASSERT_EQ(golden["cases"].size(), 3U);
  for (const json& wanted : golden["cases"]) {
    Vector module(tensor_of(golden["start"]));
    FlatParameters flat(module);
    const auto options = options_from_json<AdamOptions>(wanted["options"], "golden");
    Adam adam(flat, options);
    for (size_t i = 0; i < golden["gradients"].size(); ++i) {
      module.p.mutable_grad().copy_(tensor_of(golden["gradients"][i]));
      adam.step(options.learning_rate);
      EXPECT_TRUE(near(module.p, tensor_of(wanted["after"][i]), kRounding))
          << wanted["name"] << " step " << i;
    }
    EXPECT_EQ(adam.steps(), 12);
  }
}

TEST(Adam, FollowsItsFormula) {
  const AdamOptions o{
      .learning_rate = 0.1, .beta1 = 0.7, .beta2 = 0.9, .epsilon = 1e-3, .weight_decay = 0.2};
  Vector module(at::full({1}, 2.0, at::kDouble));
  FlatParameters flat(module);
  Adam adam(flat, o);
  double p = 2.0, m = 0.0, v = 0.0;
  for (int t = 1; t <= 5; ++t) {
    const double g = 1.5 - t, rate = 0.1 / t;
    module.p.mutable_grad().fill_(g);
    adam.step(rate);
    m = o.beta1 * m + (1.0 - o.beta1) * g;
    v = o.beta2 * v + (1.0 - o.beta2) * g * g;
    p *= 1.0 - rate * o.weight_decay;
    p -= rate * (m / (1.0 - std::pow(o.beta1, t))) /
         (std::sqrt(v / (1.0 - std::pow(o.beta2, t))) + o.epsilon);
    EXPECT_NEAR(module.p.item<double>(), p, kRounding);
  }
  EXPECT_NEAR(flat.named(adam.first_moment()).at("p").item<double>(), m, kRounding);
  EXPECT_NEAR(flat.named(adam.second_moment()).at("p").item<double>(), v, kRounding);
}

TEST(Adam, LeavesThePaddingZero) {
  Vector module(at::ones({3}, at::kFloat));
  FlatParameters flat(module);
  Adam adam(flat, {.weight_decay = 0.5});
  module.p.mutable_grad().fill_(1.0);
  adam.step(0.1);
  EXPECT_EQ(flat.values()[0].numel(), 16);  // 64 bytes
  EXPECT_EQ(flat.values()[0].slice(0, 3).abs().sum().item<float>(), 0.0F);
}

// The definition in tensor operations, float64.
void composed_step(at::Tensor& p, const at::Tensor& g, at::Tensor& m, at::Tensor& v, int64_t t,
                   double rate, const AdamOptions& o) {
  const at::Tensor gradient = o.decoupled ? g : g + o.weight_decay * p;
  if (o.decoupled) p = p * (1 - rate * o.weight_decay);
  m = o.beta1 * m + (1 - o.beta1) * gradient;
  v = o.beta2 * v + (1 - o.beta2) * gradient.square();
  const auto n = static_cast<double>(t);
  const at::Tensor root = (v / (1 - std::pow(o.beta2, n))).sqrt() + o.epsilon;
  p = p - rate * (m / (1 - std::pow(o.beta1, n))) / root;
}

TEST(Adam, AgreesWithTheComposedFormInBothTypesAtAwkwardLengths) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const bool decoupled : {true, false}) {
      const AdamOptions o{.weight_decay = 0.1, .decoupled = decoupled};
      for (const int64_t count : {1, 7, 64, 4099, 100'003}) {
        Vector module(Rng(1).normal({count}, type));
        FlatParameters flat(module);
        Adam adam(flat, o);
        at::Tensor p = module.p.detach().to(at::kDouble).clone(), m = at::zeros_like(p), v = m;
        for (int64_t t = 1; t <= 3; ++t) {
          module.p.mutable_grad().copy_(
              Rng(2).fork(static_cast<uint64_t>(t)).normal({count}, type));
          adam.step(0.01);
          composed_step(p, module.p.grad().to(at::kDouble), m, v, t, 0.01, o);
        }
        // Some ten roundings of numbers up to 5.
        const double tolerance = type == at::kFloat ? 1e-5 : kRounding;
        EXPECT_TRUE(near(module.p.detach().to(at::kDouble), p, tolerance)) << type << count;
      }
    }
  }
}

TEST(Adam, AndTheGradientNormGiveTheSameBitsForAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  const auto run = [](int threads) {
    at::set_num_threads(threads);
    Vector module(Rng(1).normal({300'001}, at::kFloat));
    FlatParameters flat(module);
    Adam adam(flat, {});
    module.p.mutable_grad().copy_(Rng(2).normal({300'001}, at::kFloat));
    adam.step(0.01);
    return std::pair{module.p.detach().clone(), gradient_norm(flat)};
  };
  const auto [one, one_norm] = run(1);
  for (const int threads : {2, 3}) {
    const auto [more, norm] = run(threads);
    EXPECT_TRUE(more.equal(one)) << threads;
    EXPECT_EQ(norm, one_norm) << threads;
  }
  at::set_num_threads(before);
}

TEST(Schedule, WarmsUpThenFallsToTheFinalFraction) {
  const ScheduleOptions cosine{.kind = Schedule::kCosine, .warmup_steps = 4, .final_fraction = 0.1};
  EXPECT_DOUBLE_EQ(schedule_factor(cosine, 0, 105), 0.25);
  EXPECT_DOUBLE_EQ(schedule_factor(cosine, 3, 105), 1.0);
  EXPECT_DOUBLE_EQ(schedule_factor(cosine, 4, 105), 1.0);
  EXPECT_DOUBLE_EQ(schedule_factor(cosine, 54, 105), 0.55);  // half way
  EXPECT_DOUBLE_EQ(schedule_factor(cosine, 104, 105), 0.1);
  const ScheduleOptions constant{.warmup_steps = 2};
  EXPECT_DOUBLE_EQ(schedule_factor(constant, 0, 10), 0.5);
  EXPECT_DOUBLE_EQ(schedule_factor(constant, 9, 10), 1.0);
  EXPECT_DOUBLE_EQ(schedule_factor({.kind = Schedule::kCosine}, 0, 1), 1.0);  // one step, no span
}

TEST(Schedule, AWarmUpOfItsOwnFitsTheRun) {
  const ScheduleOptions open{.warmup_steps = std::nullopt};
  EXPECT_EQ(warmup_of(open, 5000), 100);
  EXPECT_EQ(warmup_of(open, 50), 5);
  EXPECT_EQ(warmup_of(open, 1), 0);
  EXPECT_EQ(warmup_of(open, 0), 100);  // no limit of steps
  EXPECT_EQ(warmup_of({.warmup_steps = 7}, 50), 7);
  EXPECT_DOUBLE_EQ(schedule_factor(open, 4, 100), 0.5);
  EXPECT_DOUBLE_EQ(schedule_factor(open, 10, 100), 1.0);
}

TEST(Schedule, IsAsFarAsStepsOrTimeAre) {
  const ScheduleOptions cosine{.kind = Schedule::kCosine, .final_fraction = 0.1};
  EXPECT_DOUBLE_EQ(schedule_factor(cosine, 50, 0, 0.5), 0.55);    // no limit of steps
  EXPECT_DOUBLE_EQ(schedule_factor(cosine, 10, 101, 0.5), 0.55);  // time is further
  EXPECT_DOUBLE_EQ(schedule_factor(cosine, 50, 101, 0.1), 0.55);  // steps are further
  EXPECT_DOUBLE_EQ(schedule_factor(cosine, 50, 0, 1.5), 0.1);
  EXPECT_DOUBLE_EQ(schedule_factor({}, 50, 0, 0.5), 1.0);
}

TEST(Gradient, NormSurvivesSquaresThatOverflowFloat32) {
  Vector module(at::zeros({2}, at::kFloat));
  FlatParameters flat(module);
  module.p.mutable_grad().copy_(at::tensor({3e25F, 4e25F}));
  EXPECT_NEAR(gradient_norm(flat) / 5e25, 1.0, 1e-6);
  module.p.mutable_grad()[0].fill_(std::nan(""));
  EXPECT_FALSE(std::isfinite(gradient_norm(flat)));
}

TEST(Gradient, NormSurvivesSquaresThatOverflowFloat64) {
  Vector module(at::zeros({2}, at::kDouble));
  FlatParameters flat(module);
  module.p.mutable_grad().copy_(at::tensor({3e200, 4e200}, at::kDouble));
  EXPECT_NEAR(gradient_norm(flat) / 5e200, 1.0, kRounding);
  module.p.mutable_grad()[0].fill_(-std::numeric_limits<double>::infinity());
  EXPECT_FALSE(std::isfinite(gradient_norm(flat)));
}

TEST(Gradient, NormIsThatOfAllElements) {
  for (const int64_t count : {1, 15, 4096, 4097, 100'003}) {
    Vector module(at::zeros({count}, at::kFloat));
    FlatParameters flat(module);
    const at::Tensor g = Rng(3).normal({count}, at::kFloat);
    module.p.mutable_grad().copy_(g);
    const double expected = g.to(at::kDouble).norm().item<double>();
    EXPECT_NEAR(gradient_norm(flat) / expected, 1.0, 1e-12) << count;  // sums of 1e5 terms
  }
}

TEST(Gradient, ClippingScalesOnlyWhatIsLonger) {
  Vector module(at::zeros({2}, at::kDouble));
  FlatParameters flat(module);
  module.p.mutable_grad().copy_(at::tensor({3.0, 4.0}, at::kDouble));
  clip_gradients(flat, 5.0, 10.0);
  EXPECT_EQ(module.p.grad()[1].item<double>(), 4.0);
  clip_gradients(flat, 5.0, 1.0);
  EXPECT_TRUE(near(module.p.grad(), at::tensor({0.6, 0.8}, at::kDouble), kRounding));
}

}  // namespace
}  // namespace contraflow
