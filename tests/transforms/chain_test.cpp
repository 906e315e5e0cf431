#include "contraflow/transforms/chain.h"

#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/dequantize.h"
#include "contraflow/transforms/inverse.h"
#include "contraflow/transforms/logit.h"
#include "tests/support/stub_transform.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::kRounding;
using testing::near;
using testing::stub;

at::Tensor rows_of(double value) { return at::full({4}, value, at::kDouble); }
at::Tensor some_x(int64_t rows = 4) { return Rng(1).normal({rows, 2}, at::kDouble); }

TEST(Chain, ComposesValuesAndSumsLogDets) {
  const Chain chain({stub({.scale = 2.0}), stub({.scale = 5.0})});
  const at::Tensor x = some_x();
  const TransformOutput out = chain.forward(x);
  EXPECT_TRUE(near(out.value, 10.0 * x, kRounding));
  EXPECT_TRUE(near(out.log_det, rows_of(2.0 * std::log(10.0)), kRounding));
  EXPECT_TRUE(near(chain.inverse(out.value).value, x, kRounding));
  EXPECT_FALSE(out.log_det_bias_bound.defined());
  EXPECT_FALSE(out.solve_error_bound.defined());
}

TEST(Chain, BiasBoundsAddUp) {
  const Chain chain({stub({.bias = 0.25}), stub({}), stub({.bias = 0.5})});
  EXPECT_TRUE(near(chain.forward(some_x()).log_det_bias_bound, rows_of(0.75), kRounding));
}

TEST(Chain, SolveErrorsGrowByTheLipschitzConstants) {
  const Chain chain({stub({.lipschitz = 3.0, .solve_error = 0.1}),
                     stub({.lipschitz = 2.0, .solve_error = 0.2}), stub({.lipschitz = 7.0})});
  // Forward: ((0.1) * 2 + 0.2) * 7.  Inverse: (0.2) * 3 + 0.1, for the last member is exact.
  EXPECT_TRUE(near(chain.forward(some_x()).solve_error_bound, rows_of(2.8), kRounding));
  EXPECT_TRUE(near(chain.inverse(some_x()).solve_error_bound, rows_of(0.7), kRounding));
}

TEST(Chain, UnknownLipschitzConstantGivesNoBound) {
  const Chain chain({stub({}), stub({.lipschitz = 2.0, .solve_error = 0.2})});
  EXPECT_TRUE(at::isinf(chain.inverse(some_x()).solve_error_bound).all().item<bool>());
  EXPECT_TRUE(near(chain.forward(some_x()).solve_error_bound, rows_of(0.2), kRounding));
  EXPECT_FALSE(chain.inverse_lipschitz().has_value());
}

TEST(Chain, LipschitzConstantsMultiply) {
  const Chain chain({stub({.lipschitz = 3.0}), stub({.lipschitz = 2.0})});
  EXPECT_DOUBLE_EQ(chain.forward_lipschitz().value(), 6.0);
  EXPECT_DOUBLE_EQ(chain.inverse_lipschitz().value(), 6.0);
}

TEST(Chain, PrepareComputesInputsOnlyAsFarAsNeeded) {
  const auto a = stub({.scale = 2.0});
  const auto b = stub({.scale = 5.0, .needs_data = true});
  const auto c = stub({});
  Chain chain({a, b, c});
  const at::Tensor x = some_x();
  chain.prepare(x);
  ASSERT_EQ(b->prepared.size(), 1U);
  EXPECT_TRUE(near(b->prepared[0], 2.0 * x, kRounding));
  ASSERT_EQ(c->prepared.size(), 1U);
  EXPECT_FALSE(c->prepared[0].defined());
  EXPECT_EQ(a->forwards, 1);
  EXPECT_EQ(b->forwards, 0) << "nothing after b looks at data";
  chain.prepare({});
  EXPECT_EQ(a->forwards, 1) << "b is initialised: no member looks at data any more";
  EXPECT_EQ(a->prepared.size(), 2U);
}

TEST(Chain, PrepareUsesMembersThatAreAlreadyPrepared) {
  const auto first = std::make_shared<ActNorm>(ActNormOptions{.event = 2});
  const auto second = std::make_shared<ActNorm>(ActNormOptions{.event = 2});
  Chain chain({first, second});
  chain.to(at::kDouble);
  const at::Tensor x = 10.0 * some_x(50) + 3.0;
  chain.prepare(x);
  for (const at::Tensor& p : second->parameters()) {
    EXPECT_TRUE(near(p, at::zeros({2}), 1e-9)) << "its inputs were standardised already";
  }
}

TEST(Chain, MembersDrawIndependently) {
  const Chain chain({stub({.noise = 1.0}), stub({.noise = 1.0})});
  const Context context{{}, Rng(5)};
  const at::Tensor both = chain.forward(some_x(), context).log_det;
  const at::Tensor expected =
      Rng(5).fork(0).normal({4}, at::kDouble) + Rng(5).fork(1).normal({4}, at::kDouble);
  EXPECT_TRUE(near(both, expected, kRounding));
}

TEST(Chain, OnlyConditionalMembersSeeTheCondition) {
  const Chain chain({stub({}), stub({.shift = 2.0, .condition = 3}), stub({})});
  EXPECT_EQ(chain.condition_shape(), std::vector<int64_t>{3});
  const at::Tensor x = some_x();
  const Context context{.condition = at::ones({4, 3}, at::kDouble)};
  EXPECT_TRUE(near(chain.forward(x, context).value, x + 6.0, kRounding));
  EXPECT_TRUE(near(chain.inverse(x + 6.0, context).value, x, kRounding));
}

TEST(Chain, AMemberIsAskedForKernelsOnce) {
  const auto actnorm = std::make_shared<ActNorm>(ActNormOptions{.event = 2});  // lowers
  const auto a = stub({.scale = 2.0}), b = stub({.scale = 5.0});
  Chain chain({actnorm, a, actnorm, b});
  chain.to(at::kDouble);
  const at::Tensor x = some_x();
  EXPECT_TRUE(near(chain.forward(x).value, 10.0 * x, kRounding));
  EXPECT_EQ(a->lowerings, 1);
  EXPECT_EQ(b->lowerings, 1);
}

TEST(Chain, MembersThatDoNotFitAreNamed) {
  EXPECT_THAT(error_of<ConfigError>([] {
                Chain({stub({}), stub({.event = 3})});
              }),
              HasSubstr("[Chain] transforms[1]: expected events of shape [2]"));
  EXPECT_THAT(error_of<ConfigError>([] {
                Chain({stub({.condition = 1}), stub({.condition = 2})});
              }),
              HasSubstr("conditions of shape [1], got [2]"));
  EXPECT_THAT(error_of<ConfigError>([] { Chain(std::vector<TransformPtr>{}); }),
              HasSubstr("at least one member"));
  EXPECT_THAT(error_of<ConfigError>([] { Chain({stub({}), nullptr}); }), HasSubstr("null"));
}

TEST(Chain, NamesOfParametersShowTheMember) {
  const Chain chain({stub({}), std::make_shared<ActNorm>(ActNormOptions{.event = 2})});
  EXPECT_TRUE(chain.named_parameters().contains("1.log_scale"));
}

TEST(Inverse, SwapsEverything) {
  const auto inner = stub({.scale = 4.0, .lipschitz = 9.0});
  const Inverse map(inner);
  const at::Tensor x = some_x();
  EXPECT_TRUE(near(map.forward(x).value, x / 4.0, kRounding));
  EXPECT_TRUE(near(map.forward(x).log_det, rows_of(-2.0 * std::log(4.0)), kRounding));
  EXPECT_TRUE(near(map.inverse(x).value, 4.0 * x, kRounding));
  const Logit logit({.event = 1});
  const Inverse turned(std::make_shared<Logit>(LogitOptions{.event = 1}));
  EXPECT_EQ(turned.forward_lipschitz(), logit.inverse_lipschitz());
  EXPECT_EQ(turned.inverse_lipschitz(), logit.forward_lipschitz());
}

TEST(Inverse, PreparesTheInnerWithItsOwnInputs) {
  const auto inner = stub({.scale = 4.0, .needs_data = true});
  Inverse map(inner);
  const at::Tensor x = some_x();
  map.prepare(x);
  ASSERT_EQ(inner->prepared.size(), 1U);
  EXPECT_TRUE(near(inner->prepared[0], x / 4.0, kRounding));
  map.prepare({});
  EXPECT_FALSE(inner->prepared[1].defined());
}

}  // namespace
}  // namespace contraflow
