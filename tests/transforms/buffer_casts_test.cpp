// Python's .to(), .float() and .cuda() of a wrapped module cast its buffers one by one, without
// Module::to(): a block must go on, with bounds that hold.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "contraflow/core/rng.h"
#include "contraflow/transforms/contractive_block.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::near;

const at::Tensor kCastRows = Rng(1).normal({64, 3}, at::kDouble);

void train_steps(ContractiveBlock& block, uint64_t steps, const at::Tensor& x) {
  for (uint64_t step = 0; step < steps; ++step) {
    const Context context{.rng = Rng(2).fork(step), .phase = Phase::kTrain};
    block.prepare(x, context);
    for (const at::Tensor& p : block.parameters()) p.mutable_grad() = at::Tensor();
    const TransformOutput out = block.forward(x, context);
    (out.value.square().sum(1) * 0.5 - out.log_det).mean().backward();
    const at::NoGradGuard guard;
    for (const at::Tensor& p : block.parameters()) p.sub_(p.grad(), 0.05);
  }
  block.prepare(x, {.rng = Rng(3), .phase = Phase::kTrain});
}

std::shared_ptr<ContractiveBlock> trained_block(FormKind form) {
  ContractiveBlockOptions options{
      .event = 3,
      .form = form,
      .train_log_det = RussianRoulette{.law = RouletteLaw::kOptimal, .calibrate_every = 5},
      .eval_log_det = ExactLogDet{}};
  options.net.norm_every = 4;
  options.net.init_gain = 3.0;
  auto block = std::make_shared<ContractiveBlock>(options);
  block->to(at::kDouble);
  train_steps(*block, 12, kCastRows);
  return block;
}

void cast_buffers(ContractiveBlock& block, at::ScalarType type) {
  for (at::Tensor& buffer : block.buffers()) buffer.set_data(buffer.to(type));
}

void cast_all(ContractiveBlock& block, at::ScalarType type) {
  for (at::Tensor& parameter : block.parameters()) parameter.set_data(parameter.detach().to(type));
  cast_buffers(block, type);
}

void expect_bounded_block(const ContractiveBlock& block) {
  EXPECT_LE(block.net()->lipschitz(), block.options().net.lipschitz);
  EXPECT_TRUE(block.net()->proven());
  const at::NoGradGuard guard;
  const at::Tensor norms = at::linalg_matrix_norm(
      jacobian(*block.net()->linearize(kCastRows.to(block.parameters()[0].options()), {}))
          .to(at::kDouble),
      2);
  EXPECT_LE(norms.max().item<double>(), block.net()->lipschitz());
}

TEST(BufferCasts, ATrainedBlockGoesOn) {
  for (const FormKind form : {FormKind::kResidual, FormKind::kMonotone}) {
    const auto block = trained_block(form);
    const TransformOutput before = block->forward(kCastRows);
    const auto law = block->calibration(Phase::kTrain);
    ASSERT_TRUE(law.has_value());
    cast_buffers(*block, at::kFloat);
    expect_bounded_block(*block);
    const TransformOutput after = block->forward(kCastRows);
    EXPECT_TRUE(near(after.value, before.value, 1e-5));
    EXPECT_TRUE(near(after.log_det, before.log_det, 1e-5));
    ASSERT_TRUE(block->calibration(Phase::kTrain).has_value());
    EXPECT_NEAR(block->calibration(Phase::kTrain)->ratio, law->ratio, 1e-6);
    train_steps(*block, 12, kCastRows);
    expect_bounded_block(*block);
    for (const auto& buffer : block->named_buffers())
      EXPECT_EQ(buffer.value().scalar_type(), at::kDouble) << buffer.key();
  }
}

TEST(BufferCasts, AndInTheTypeOfItsWeights) {
  const auto block = trained_block(FormKind::kMonotone);
  const at::Tensor before = block->forward(kCastRows).value;
  cast_all(*block, at::kFloat);
  expect_bounded_block(*block);
  const at::Tensor x = kCastRows.to(at::kFloat);
  EXPECT_TRUE(near(block->forward(x).value, before, 1e-4));
  train_steps(*block, 6, x);
  expect_bounded_block(*block);
  cast_all(*block, at::kHalf);
  EXPECT_LE(block->net()->lipschitz(), block->options().net.lipschitz);
  EXPECT_TRUE(block->calibration(Phase::kTrain).has_value());
}

}  // namespace
}  // namespace contraflow
