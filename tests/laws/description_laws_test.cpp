// Laws about what transforms say of themselves: specs, randomness, leaves.
#include "contraflow/transforms/registry.h"
#include "tests/laws/law_case.h"
#include "tests/support/tensors.h"

namespace contraflow::laws {
namespace {

using contraflow::testing::near;

// Composed members may round otherwise than a chain that is lowered.
constexpr double kTraceTolerance = 1e-12;

Context with_seed(const Context& context, uint64_t seed) {
  Context out = context;
  out.rng = Rng(seed);
  return out;
}

TEST_P(TransformLaw, SpecIsWhatTheFactoryAccepts) {
  const LawCase& law_case = GetParam();
  const TransformPtr transform = make_transform(law_case.spec(), law_case.name());
  EXPECT_EQ(transform->spec(), resolve_transform(law_case.spec(), law_case.name()));
  const TransformPtr again = make_transform(transform->spec());
  EXPECT_EQ(again->spec(), transform->spec());
  EXPECT_EQ(again->event_shape(), transform->event_shape());
  EXPECT_EQ(again->latent_shape(), transform->latent_shape());
}

TEST_P(TransformLaw, TraceIsTheMapLeafByLeaf) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  std::vector<std::string> seen, expected;
  const TransformOutput traced =
      t->trace(x, context, /*inverse=*/false, [&seen](const TracedCall& call) {
        seen.push_back(call.name);
        return true;
      });
  for (const Member& leaf : leaves_of(t)) expected.push_back(leaf.name);
  // Within an inverse the leaves of a chain are met from its end.
  EXPECT_THAT(seen, ::testing::UnorderedElementsAreArray(expected));
  const TransformOutput out = t->forward(x, context);
  EXPECT_TRUE(near(traced.value, out.value, kTraceTolerance));
  EXPECT_TRUE(near(traced.log_det, out.log_det, kTraceTolerance));
  const TransformOutput stopped =
      t->trace(x, context, /*inverse=*/false, [](const TracedCall&) { return false; });
  EXPECT_FALSE(stopped.value.defined());
}

TEST_P(TransformLaw, TraceOfTheInverseVisitsEveryLeaf) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  const at::Tensor z = t->forward(x, context).value;
  std::vector<std::string> seen, expected;
  const TransformOutput traced =
      t->trace(z, context, /*inverse=*/true, [&seen](const TracedCall& call) {
        seen.push_back(call.name);
        return true;
      });
  for (const Member& leaf : leaves_of(t)) expected.push_back(leaf.name);
  EXPECT_THAT(seen, ::testing::UnorderedElementsAreArray(expected));
  const TransformOutput out = t->inverse(z, context);
  EXPECT_TRUE(near(traced.value, out.value, kTraceTolerance));
  EXPECT_TRUE(near(traced.log_det, out.log_det, kTraceTolerance));
}

TEST_P(TransformLaw, RandomnessIsWhatItSays) {
  for (const Phase phase : {Phase::kTrain, Phase::kEvaluate}) {
    const auto [t, x, context] = make_instance(GetParam(), at::kDouble, phase);
    const TransformOutput a = t->forward(x, with_seed(context, 1));
    const TransformOutput b = t->forward(x, with_seed(context, 2));
    const bool same = at::equal(a.value, b.value) && at::equal(a.log_det, b.log_det);
    if (t->randomness(phase) == Randomness::kNone) {
      EXPECT_TRUE(same) << "phase " << static_cast<int>(phase);
    } else if (t->randomness(phase) == Randomness::kUnbiased) {
      EXPECT_FALSE(same) << "phase " << static_cast<int>(phase);
    }
    const bool biased = t->randomness(phase) == Randomness::kBiased;
    EXPECT_EQ(a.log_det_bias_bound.defined(), biased) << "phase " << static_cast<int>(phase);
  }
}

}  // namespace
}  // namespace contraflow::laws
