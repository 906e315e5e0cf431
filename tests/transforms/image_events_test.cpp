// Affine maps, bounds and bases on images: one set of parameters per channel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/bases/base_registry.h"
#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/batch_norm.h"
#include "contraflow/transforms/contractive_block.h"
#include "contraflow/transforms/dequantize.h"
#include "contraflow/transforms/logit.h"
#include "contraflow/transforms/scale.h"
#include "contraflow/transforms/standardize.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::near;

const EventShape kImage{2, 3, 5};
constexpr int64_t kBatch = 40;

at::Tensor images() {
  const at::Tensor offset = at::tensor({-3.0, 7.0}).view({2, 1, 1});
  const at::Tensor scale = at::tensor({0.5, 4.0}).view({2, 1, 1});
  return Rng(3).normal({kBatch, 2, 3, 5}, at::kDouble) * scale + offset;
}

template <class T>
class PerChannel : public ::testing::Test {};
using Normalizers = ::testing::Types<ActNorm, Standardize>;
TYPED_TEST_SUITE(PerChannel, Normalizers);

TYPED_TEST(PerChannel, ChannelsLeaveWithMeanZeroAndDeviationOne) {
  TypeParam norm({.event = kImage});
  norm.to(at::kDouble);
  const at::Tensor x = images();
  norm.prepare(x);
  const TransformOutput out = norm.forward(x);
  EXPECT_TRUE(near(out.value.mean(at::IntArrayRef{0, 2, 3}), at::zeros({2}, at::kDouble), 1e-9));
  const at::Tensor values = out.value.movedim(1, -1).reshape({-1, 2});
  EXPECT_TRUE(near(values.std(0), at::ones({2}, at::kDouble), 1e-9));
  // Each of the 15 pixels of a channel counts.
  const at::Tensor deviation = x.movedim(1, -1).reshape({-1, 2}).std(0);
  EXPECT_NEAR(out.log_det[0].template item<double>(),
              -15.0 * deviation.log().sum().template item<double>(), 1e-9);
  EXPECT_TRUE(near(norm.inverse(out.value).value, x, 1e-9));
}

TYPED_TEST(PerChannel, AConstantChannelIsNamed) {
  TypeParam norm({.event = kImage});
  norm.to(at::kDouble);
  at::Tensor x = images();
  x.select(1, 1).fill_(2.5);
  EXPECT_THAT(error_of<DomainError>([&] { norm.prepare(x); }),
              HasSubstr("the constant 2.5 in channel 1"));
}

TEST(ImageEvents, BatchNormMovesByChannel) {
  BatchNorm norm({.event = kImage, .momentum = 0.5, .update_every = 2});
  norm.to(at::kDouble);
  norm.prepare(images());
  norm.prepare({});
  norm.prepare(images() + 1.0);
  const at::Tensor mean = norm.named_buffers()["mean"];
  EXPECT_TRUE(near(mean, images().mean(at::IntArrayRef{0, 2, 3}) + 0.5, 1e-9));
}

TEST(ImageEvents, LogitAndDequantizeCountEveryPixel) {
  const Dequantize levels({.event = kImage, .levels = {4, 16}});
  const at::Tensor x = at::zeros({2, 2, 3, 5}, at::kDouble);
  EXPECT_NEAR(levels.forward(x).log_det[0].item<double>(), -15.0 * std::log(4.0 * 16.0), 1e-12);
  const Logit logit({.event = kImage, .lower = {0, -1}, .upper = {1, 3}});
  const at::Tensor u = at::full({2, 2, 3, 5}, 0.25, at::kDouble);
  const at::Tensor z = u.clone().requires_grad_(true);
  const TransformOutput out = logit.forward(z);
  out.value.sum().backward();  // elementwise: the gradient is the slope
  EXPECT_NEAR(out.log_det[0].item<double>(), z.grad()[0].log().sum().item<double>(), 1e-9);
}

TEST(ImageEvents, ErrorsNameThePixel) {
  const Logit logit({.event = kImage});
  at::Tensor x = at::full({2, 2, 3, 5}, 0.5, at::kDouble);
  x[1][0][2][4] = 1.5;
  EXPECT_THAT(error_of<DomainError>([&] { logit.forward(x); }),
              HasSubstr("1.5 at row 1, pixel [0, 2, 4]"));
}

TEST(ImageEvents, ABlockSeesTheImageAsOneRow) {
  ContractiveBlockOptions options{.event = {2, 2, 2}, .condition = {1, 1, 3}};
  options.net.depth = 1;
  options.net.growth = 4;
  ContractiveBlockOptions flat = options;
  flat.event = 8;
  flat.condition = 3;
  ContractiveBlock image(options), row(flat);
  image.to(at::kDouble);
  row.to(at::kDouble);
  const at::Tensor x = Rng(1).normal({6, 2, 2, 2}, at::kDouble);
  const at::Tensor h = Rng(2).normal({6, 1, 1, 3}, at::kDouble);
  const TransformOutput out = image.forward(x, {.condition = h});
  const TransformOutput same = row.forward(x.flatten(1), {.condition = h.flatten(1)});
  EXPECT_TRUE(at::equal(out.value.flatten(1), same.value));
  EXPECT_TRUE(at::equal(out.log_det, same.log_det));
  EXPECT_TRUE(near(image.inverse(out.value, {.condition = h}).value, x, 1e-5));
}

TEST(ImageEvents, BasesSumOverThePixels) {
  const at::Tensor z = Rng(5).normal({4, 2, 3, 5}, at::kDouble) * 0.3;
  for (const BaseEntry& entry : base_registry()) {
    const BasePtr image = entry.make(entry.sample(kImage), entry.name);
    const BasePtr row = entry.make(entry.sample(30), entry.name);
    image->to(at::kDouble);
    row->to(at::kDouble);
    EXPECT_TRUE(near(image->log_prob(z), row->log_prob(z.flatten(1)), 1e-12)) << entry.name;
    EXPECT_TRUE(at::equal(image->sample(3, Rng(1)).flatten(1), row->sample(3, Rng(1))))
        << entry.name;
    EXPECT_EQ(image->spec(), make_base(image->spec())->spec());
  }
}

}  // namespace
}  // namespace contraflow
