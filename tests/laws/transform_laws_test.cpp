// What every transform owes its caller, whatever it is: one test per law and registry entry.
#include <ATen/ATen.h>

#include "tests/laws/law_case.h"
#include "tests/support/derivatives.h"
#include "tests/support/tensors.h"

namespace contraflow::laws {
namespace {

using contraflow::testing::batch_jacobian;
using contraflow::testing::near;

// Rounding through a chain of explicit maps, and solver tolerances of 1e-11 and below.
constexpr double kExactTolerance = 1e-9;
// Float32 has 1.2e-7; a solve, an LU and a saturated logit each lose two or three digits of it.
constexpr double kFloatTolerance = 2e-4;
// A split batch takes other summation orders, and other iterations where it solves.
constexpr double kSplitTolerance = 1e-10;

double tolerance(at::ScalarType dtype) {
  return dtype == at::kDouble ? kExactTolerance : kFloatTolerance;
}

constexpr std::array kTypes{at::kDouble, at::kFloat};

TEST_P(TransformLaw, InverseOfForwardIsIdentity) {
  for (const at::ScalarType dtype : kTypes) {
    const auto [t, x, context] = make_instance(GetParam(), dtype);
    const at::Tensor z = t->forward(x, context).value;
    EXPECT_EQ(z.scalar_type(), dtype);
    const at::Tensor back = t->inverse(z, context).value;
    EXPECT_EQ(back.scalar_type(), dtype);
    EXPECT_TRUE(near(back, x, tolerance(dtype)));
  }
}

TEST_P(TransformLaw, ForwardOfInverseIsIdentity) {
  for (const at::ScalarType dtype : kTypes) {
    const auto [t, x, context] = make_instance(GetParam(), dtype);
    const at::Tensor z = t->forward(x, context).value;
    const at::Tensor x_back = t->inverse(z, context).value;
    EXPECT_TRUE(near(t->forward(x_back, context).value, z, tolerance(dtype)));
  }
}

TEST_P(TransformLaw, LogDetIsSlogdetOfTheJacobian) {
  for (const at::ScalarType dtype : kTypes) {
    const auto [t, x, context] = make_instance(GetParam(), dtype);
    const auto forward = [&t = t, &context = context](const at::Tensor& v) {
      return t->forward(v, context).value;
    };
    const at::Tensor log_det = t->forward(x, context).log_det;
    const at::Tensor expected =
        std::get<1>(at::linalg_slogdet(batch_jacobian(forward, x))) + GetParam().sample.log_cell;
    EXPECT_EQ(log_det.scalar_type(), dtype);
    EXPECT_TRUE(near(log_det, expected, tolerance(dtype)));
  }
}

TEST_P(TransformLaw, LogDetOfTheInverseIsMinusLogDet) {
  for (const at::ScalarType dtype : kTypes) {
    const auto [t, x, context] = make_instance(GetParam(), dtype);
    const TransformOutput forward = t->forward(x, context);
    EXPECT_TRUE(
        near(t->inverse(forward.value, context).log_det, -forward.log_det, tolerance(dtype)));
  }
}

TEST_P(TransformLaw, LogDetHasOneValuePerRow) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  const TransformOutput forward = t->forward(x, context);
  EXPECT_EQ(forward.log_det.sizes(), at::IntArrayRef({kRows}));
  EXPECT_EQ(t->inverse(forward.value, context).log_det.sizes(), at::IntArrayRef({kRows}));
  for (const at::Tensor& bound : {forward.log_det_bias_bound, forward.solve_error_bound}) {
    if (!bound.defined()) continue;
    EXPECT_EQ(bound.sizes(), at::IntArrayRef({kRows}));
    EXPECT_TRUE(bound.ge(0).all().item<bool>());
  }
}

TEST_P(TransformLaw, RowsDoNotDependOnTheBatch) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  const TransformOutput whole = t->forward(x, context);
  const TransformOutput whole_back = t->inverse(whole.value, context);
  for (int64_t i = 0; i < kRows; ++i) {
    const Context own = slice_context(context, i, i + 1);
    const TransformOutput one = t->forward(x.slice(0, i, i + 1), own);
    EXPECT_TRUE(near(one.value, whole.value.slice(0, i, i + 1), kSplitTolerance));
    const TransformOutput back = t->inverse(whole.value.slice(0, i, i + 1), own);
    EXPECT_TRUE(near(back.value, whole_back.value.slice(0, i, i + 1), kSplitTolerance));
  }
}

// Not of estimates: stratified ones share the batch.
TEST_P(TransformLaw, LogDetsDoNotDependOnTheBatch) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  const TransformOutput whole = t->forward(x, context);
  const TransformOutput whole_back = t->inverse(whole.value, context);
  for (int64_t i = 0; i < kRows; ++i) {
    const Context own = slice_context(context, i, i + 1);
    const TransformOutput one = t->forward(x.slice(0, i, i + 1), own);
    const TransformOutput back = t->inverse(whole.value.slice(0, i, i + 1), own);
    EXPECT_TRUE(near(one.log_det, whole.log_det.slice(0, i, i + 1), kSplitTolerance));
    EXPECT_TRUE(near(back.log_det, whole_back.log_det.slice(0, i, i + 1), kSplitTolerance));
  }
}

TEST_P(TransformLaw, SameSeedSameBits) {
  for (const Phase phase : {Phase::kTrain, Phase::kEvaluate}) {
    const auto [t, x, context] = make_instance(GetParam(), at::kDouble, phase);
    const TransformOutput a = t->forward(x, context);
    const TransformOutput b = t->forward(x, context);
    EXPECT_TRUE(at::equal(a.value, b.value));
    EXPECT_TRUE(at::equal(a.log_det, b.log_det));
    // A second instance from the same options starts from the same numbers.
    const Instance other = make_instance(GetParam(), at::kDouble, phase);
    const TransformOutput c = other.transform->forward(other.x, other.context);
    EXPECT_TRUE(at::equal(a.value, c.value));
    EXPECT_TRUE(at::equal(a.log_det, c.log_det));
  }
}

TEST_P(TransformLaw, StochasticEntriesFollowTheSeed) {
  auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  const at::Tensor first = t->forward(x, context).value;
  context.rng = Rng(18);
  EXPECT_FALSE(at::equal(first, t->forward(x, context).value));
}

TEST_P(TransformLaw, ForwardLeavesItsInputAndStateAlone) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  const at::Tensor copy = x.clone();
  std::vector<at::Tensor> before;
  for (const at::Tensor& p : t->parameters()) before.push_back(p.detach().clone());
  for (const at::Tensor& b : t->buffers()) before.push_back(b.detach().clone());
  t->inverse(t->forward(x, context).value, context);
  EXPECT_TRUE(at::equal(x, copy));
  std::vector<at::Tensor> after = t->parameters();
  for (const at::Tensor& b : t->buffers()) after.push_back(b);
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < after.size(); ++i) EXPECT_TRUE(at::equal(before[i], after[i]));
}

TEST_P(TransformLaw, LipschitzBoundsHold) {
  const auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  const auto forward = [&t = t, &context = context](const at::Tensor& v) {
    return t->forward(v, context).value;
  };
  const at::Tensor norms = at::linalg_svdvals(batch_jacobian(forward, x));
  constexpr double kRounding = 1.0 + 1e-9;
  if (const auto bound = t->forward_lipschitz()) {
    EXPECT_LE(norms.max().item<double>(), *bound * kRounding);
  }
  if (const auto bound = t->inverse_lipschitz()) {
    EXPECT_LE(1.0 / norms.min().item<double>(), *bound * kRounding);
  }
}

TEST_P(TransformLaw, ConditionReachesTheOutputs) {
  auto [t, x, context] = make_instance(GetParam(), at::kDouble);
  const TransformOutput first = t->forward(x, context);
  context.condition = context.condition + 0.5;
  const TransformOutput second = t->forward(x, context);
  for (int64_t i = 0; i < kRows; ++i) {
    EXPECT_FALSE(near(first.value[i], second.value[i], 1e-6)) << "row " << i;
  }
  EXPECT_FALSE(near(first.log_det, second.log_det, 1e-6));
}

}  // namespace
}  // namespace contraflow::laws
