#include "contraflow/transforms/split_prior.h"

#include <ATen/core/grad_mode.h>

#include <cmath>

#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::kRounding;
using testing::near;

const EventShape kLeaves{2, 4, 3}, kStays{3, 4, 3};

at::Tensor normal(int64_t tag, const EventShape& event, int64_t rows = 5) {
  std::vector<int64_t> shape = event.sizes();
  shape.insert(shape.begin(), rows);
  return Rng(static_cast<uint64_t>(tag)).normal(shape, at::kDouble);
}

TEST(SplitPrior, StartsAsTheIdentity) {
  SplitPrior prior({.event = kLeaves, .condition = kStays});
  prior.to(at::kDouble);
  const at::Tensor x = normal(1, kLeaves);
  const TransformOutput out = prior.forward(x, {.condition = normal(2, kStays)});
  EXPECT_TRUE(at::equal(out.value, x));
  EXPECT_TRUE(at::equal(out.log_det, at::zeros({5}, at::kDouble)));
}

// The density that the paper means, written out: N(x; mean(h), exp(log_scale(h))).
TEST(SplitPrior, WithANormalBaseIsTheConditionalNormal) {
  SplitPrior prior({.event = kLeaves, .condition = kStays, .init_gain = 2.0});
  prior.to(at::kDouble);
  const at::Tensor x = normal(1, kLeaves), h = normal(2, kStays);
  const TransformOutput out = prior.forward(x, {.condition = h});
  const at::Tensor z = out.value.flatten(1);
  const double half_log_two_pi = 0.5 * std::log(2.0 * M_PI);
  const at::Tensor got = (z.square() * -0.5 - half_log_two_pi).sum(1) + out.log_det;

  const at::Tensor both =
      at::conv2d(h, prior.parameters()[0], prior.parameters()[1], 1, 1).detach();
  const at::Tensor mean = both.narrow(1, 0, 2);
  const at::Tensor deviation = ((both.narrow(1, 2, 2) / 4.0).tanh() * 4.0).exp();
  const at::Tensor expected =
      (((x - mean) / deviation).square() * -0.5 - deviation.log() - half_log_two_pi)
          .flatten(1)
          .sum(1);
  EXPECT_TRUE(near(got, expected, kRounding));
  EXPECT_TRUE(near(prior.inverse(out.value, {.condition = h}).value, x, kRounding));
}

TEST(SplitPrior, ScalesStayFiniteWhateverTheWeights) {
  SplitPrior prior(
      {.event = kLeaves, .condition = kStays, .most_log_scale = 2.0, .init_gain = 1.0});
  const at::NoGradGuard guard;
  prior.parameters()[0].mul_(1e6);
  const at::Tensor x = normal(1, kLeaves).to(at::kFloat), h = normal(2, kStays).to(at::kFloat);
  const TransformOutput out = prior.forward(x, {.condition = h});
  EXPECT_TRUE(at::isfinite(out.value).all().item<bool>());
  EXPECT_LE(out.log_det.abs().max().item<double>(), 2.0 * 24 * (1 + 1e-6));
  EXPECT_GT(out.log_det.abs().max().item<double>(), 1.0);
  EXPECT_NEAR(*prior.forward_lipschitz(), std::exp(2.0), kRounding);
}

TEST(SplitPrior, ShapesThatDoNotFitAreNamed) {
  const auto text = [](const SplitPriorOptions& o) {
    return error_of<ConfigError>([&] { SplitPrior prior(o); });
  };
  EXPECT_THAT(text({.event = kLeaves, .condition = {3, 4, 4}}),
              HasSubstr("of the same sides, got [2, 4, 3] and [3, 4, 4]"));
  EXPECT_THAT(text({.event = 24, .condition = 24}), HasSubstr("got 24 and 24"));
  EXPECT_THAT(text({.event = kLeaves, .condition = kStays, .kernel = 2}), HasSubstr("odd side"));
}

}  // namespace
}  // namespace contraflow
