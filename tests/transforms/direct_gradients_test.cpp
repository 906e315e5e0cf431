#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/core/rng.h"
#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/contractive_block.h"

namespace contraflow {
namespace {

TransformPtr chain_of(FormKind form, int64_t condition) {
  std::vector<TransformPtr> blocks;
  for (int64_t k = 0; k < 3; ++k) {
    ContractiveBlockOptions o;
    o.event = 2;
    o.condition = condition;
    o.form = form;
    o.seed = k;
    o.net.depth = 2;
    o.net.growth = 4;
    blocks.push_back(std::make_shared<ContractiveBlock>(o));
  }
  return std::make_shared<Chain>(blocks);
}

struct Gradients {
  std::vector<at::Tensor> parameters;
  at::Tensor x, condition;
};

Gradients gradients_of(const Transform& transform, bool direct, int64_t condition) {
  for (const at::Tensor& p : transform.parameters()) p.mutable_grad() = at::Tensor();
  at::Tensor x = Rng(1).normal({20, 2}, at::kFloat).requires_grad_();
  Context context{.rng = Rng(2), .phase = Phase::kTrain, .hints = {.direct_gradients = direct}};
  if (condition > 0) {
    context.condition = Rng(3).normal({20, condition}, at::kFloat).requires_grad_();
  }
  // Twice: gradients add up.
  for (int repeat = 0; repeat < 2; ++repeat) {
    const TransformOutput out = transform.forward(x, context);
    (out.value.square().sum() + out.log_det.sum()).backward();
  }
  Gradients all{{}, x.grad(), {}};
  if (condition > 0) all.condition = context.condition.grad();
  for (const at::Tensor& p : transform.parameters()) {
    all.parameters.push_back(p.grad().defined() ? p.grad().clone() : at::Tensor());
  }
  return all;
}

TEST(DirectGradients, AreThoseOfAutogradBitForBit) {
  for (const FormKind form : {FormKind::kResidual, FormKind::kMonotone}) {
    for (const int64_t condition : {0, 3}) {
      const TransformPtr transform = chain_of(form, condition);
      transform->parameters()[1].set_requires_grad(false);  // frozen ones stay without
      const Gradients wanted = gradients_of(*transform, false, condition);
      const Gradients direct = gradients_of(*transform, true, condition);
      EXPECT_TRUE(direct.x.equal(wanted.x));
      if (condition > 0) {
        EXPECT_TRUE(direct.condition.equal(wanted.condition));
      }
      ASSERT_EQ(direct.parameters.size(), wanted.parameters.size());
      EXPECT_FALSE(direct.parameters[1].defined());
      for (size_t i = 0; i < direct.parameters.size(); ++i) {
        ASSERT_EQ(direct.parameters[i].defined(), wanted.parameters[i].defined()) << i;
        if (!direct.parameters[i].defined()) continue;
        EXPECT_TRUE(direct.parameters[i].equal(wanted.parameters[i])) << i;
      }
    }
  }
}

TEST(DirectGradients, GoIntoTheMemoryThatIsThere) {
  const TransformPtr transform = chain_of(FormKind::kResidual, 0);
  const at::Tensor p = transform->parameters()[0];
  const at::Tensor own = at::zeros_like(p);
  p.mutable_grad() = own;
  const Context context{.rng = Rng(2), .phase = Phase::kTrain, .hints = {.direct_gradients = true}};
  transform->forward(at::ones({4, 2}), context).value.square().sum().backward();
  EXPECT_TRUE(p.grad().is_same(own));
  EXPECT_GT(own.abs().sum().item<float>(), 0.0F);
}

}  // namespace
}  // namespace contraflow
