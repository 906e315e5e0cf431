// What a net of layers says about itself: proofs, radius, roundoff.
#include "contraflow/networks/layered_net.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/core/rng.h"
#include "contraflow/networks/activation_layer.h"
#include "contraflow/networks/dense_concat.h"
#include "contraflow/networks/lipschitz_linear.h"
#include "contraflow/networks/net_options.h"
#include "contraflow/networks/sequential.h"

namespace contraflow {
namespace {

constexpr int64_t kLayerFeatures = 4;

// A layer that says nothing about itself but what it must: half of its input.
class SilentLayer : public contraflow::Layer {
 public:
  int64_t inputs() const override { return kLayerFeatures; }
  int64_t outputs() const override { return kLayerFeatures; }
  double lipschitz() const override { return 0.5; }
  void bind(Tape& /*tape*/, const at::Tensor& /*condition*/) const override {}
  at::Tensor value(const Tape& /*tape*/, const at::Tensor& a) const override { return a * 0.5; }
  at::Tensor record(Tape& /*tape*/, const at::Tensor& a) const override { return a * 0.5; }
  at::Tensor jvp(Tape& /*tape*/, const at::Tensor& t, bool /*keep*/) const override {
    return t * 0.5;
  }
  at::Tensor vjp(const Tape& /*tape*/, const at::Tensor& u) const override { return u * 0.5; }
  Dual dual_reverse(const Tape& /*tape*/, const Dual& top, GradientMap& /*gradients*/,
                    at::Tensor& /*condition_gradient*/) const override {
    return top;
  }
};

// One whose products run in bfloat16, and which reads its neighbours.
class NarrowLayer final : public SilentLayer {
 public:
  std::optional<int64_t> receptive_radius() const override { return 2; }
  double unit_roundoff(at::ScalarType /*type*/) const override {
    return contraflow::unit_roundoff(at::kBFloat16);
  }
};

LayerPtr bounded_linear() {
  const auto layer = std::make_shared<LipschitzLinear>(
      LipschitzLinearOptions{.inputs = kLayerFeatures, .outputs = kLayerFeatures, .cap = 0.9});
  layer->initialise(Rng(1), 1.0);
  return layer;
}

LayerPtr lip_swish() {
  return std::make_shared<ActivationLayer>(Activation::kLipSwish, kLayerFeatures);
}

std::shared_ptr<LayeredNet> net_of(std::vector<LayerPtr> layers) {
  return std::make_shared<LayeredNet>(std::make_shared<Sequential>(std::move(layers)), 0);
}

TEST(LayeredNet, ALayerThatListsNoBoundsLeavesItUnproven) {
  EXPECT_TRUE(net_of({bounded_linear(), lip_swish(), bounded_linear()})->proven());
  const auto net = net_of({bounded_linear(), std::make_shared<SilentLayer>(), bounded_linear()});
  EXPECT_FALSE(net->proven());
  EXPECT_TRUE(std::isinf(net->euclidean_proof()));
  const std::vector<LayerBound> bounds = net->layer_bounds();
  ASSERT_EQ(bounds.size(), 3U);
  EXPECT_TRUE(bounds[0].proven);
  EXPECT_EQ(bounds[1].name, "layers.1");
  EXPECT_FALSE(bounds[1].proven);
  EXPECT_EQ(bounds[1].upper, 0.5);
  // Alone, and within a concatenation.
  EXPECT_FALSE(net_of({std::make_shared<SilentLayer>()})->proven());
  const auto concatenated =
      net_of({std::make_shared<DenseConcat>(std::make_shared<SilentLayer>(), /*learnable=*/false)});
  EXPECT_FALSE(concatenated->proven());
  EXPECT_EQ(concatenated->layer_bounds()[0].name, "layers.0.inner");
}

TEST(LayeredNet, LinesOfTheCertificateAreNamedAfterTheModules) {
  const ContractiveNetPtr net = make_net(2, 0, {.depth = 2, .growth = 4}, Rng(1));
  const auto modules = net->named_modules();
  const std::vector<LayerBound> bounds = net->layer_bounds();
  ASSERT_EQ(bounds.size(), 3U);
  for (const LayerBound& bound : bounds) EXPECT_TRUE(modules.contains(bound.name)) << bound.name;
}

TEST(LayeredNet, RadiusIsTheSumOverLayersAndUnlimitedWhereOneIs) {
  EXPECT_EQ(net_of({bounded_linear(), lip_swish()})->receptive_radius(), 0);
  EXPECT_EQ(net_of({std::make_shared<NarrowLayer>(), lip_swish(), std::make_shared<NarrowLayer>()})
                ->receptive_radius(),
            4);
  EXPECT_EQ(net_of({bounded_linear(), std::make_shared<SilentLayer>()})->receptive_radius(),
            std::nullopt);
  EXPECT_EQ(make_net(2, 0, {}, Rng(1))->receptive_radius(), 0);
}

TEST(LayeredNet, RoundoffIsTheLargestOfItsLayers) {
  const auto exact = net_of({bounded_linear(), lip_swish()});
  EXPECT_EQ(exact->unit_roundoff(at::kFloat), 0x1p-24);
  EXPECT_EQ(exact->unit_roundoff(at::kDouble), 0x1p-53);
  const auto narrow =
      net_of({bounded_linear(),
              std::make_shared<DenseConcat>(std::make_shared<NarrowLayer>(), /*learnable=*/false)});
  EXPECT_EQ(narrow->unit_roundoff(at::kDouble), 0x1p-8);
  const at::Tensor w = at::zeros({3, kLayerFeatures});
  const auto point = narrow->linearize(w, {});
  EXPECT_EQ(point->unit_roundoff(), 0x1p-8);
  EXPECT_EQ(point->narrow(1)->unit_roundoff(), 0x1p-8);
  EXPECT_EQ(exact->linearize(w, {})->unit_roundoff(), 0x1p-24);
}

}  // namespace
}  // namespace contraflow
