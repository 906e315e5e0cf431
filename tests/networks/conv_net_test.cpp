// Nets of convolutions: 3-1-3 and densely connected ones, on rows that are images.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/networks/grid_layer.h"
#include "contraflow/networks/layered_net.h"
#include "contraflow/networks/net_options.h"
#include "tests/support/derivatives.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::central_difference;
using testing::error_of;
using ::testing::HasSubstr;
using testing::near;

const EventShape kNetImage{2, 4, 3};
constexpr int64_t kNetBatch = 3, kNetProbes = 2, kNetCondition = 2;
constexpr double kNetDifference = 2e-7;  // central differences of a loss of size 1 to 10

NetOptions three_one_three(Activation activation) {
  return {.kind = NetKind::kSequential,
          .hidden = {6, 4},
          .kernels = {3, 1, 3},
          .activation = activation,
          .activate_input = true,
          .lipschitz = 0.9,
          .norm_tolerance = 1e-9,
          .init_gain = 3.0};
}

NetOptions dense_convolutions(Activation activation) {
  return {.kind = NetKind::kDense,
          .depth = 2,
          .growth = 4,
          .kernels = {3, 3, 1},
          .activation = activation,
          .lipschitz = 0.9,
          .norm_tolerance = 1e-9,
          .init_gain = 3.0};
}

struct ConvNetCase {
  std::string name;
  NetOptions options;
};

std::vector<ConvNetCase> conv_nets() {
  NetOptions circular = three_one_three(Activation::kElu);
  circular.padding = ConvPadding::kCircular;
  NetOptions sorting = three_one_three(Activation::kMaxMin);
  sorting.activate_input = false;
  return {{"residual", three_one_three(Activation::kLipSwish)},
          {"concatenating", three_one_three(Activation::kCPila)},
          {"circular", circular},
          {"sorting", sorting},
          {"dense", dense_convolutions(Activation::kClipSwish)},
          {"dense_plain", dense_convolutions(Activation::kTanh)}};
}

class ConvNet : public ::testing::TestWithParam<ConvNetCase> {
 protected:
  ConvNet() : net_(make_net(kNetImage, kNetCondition, GetParam().options, Rng(3))) {
    net_->to(at::kDouble);
  }
  static at::Tensor draw(uint64_t seed, at::IntArrayRef sizes) {
    return Rng(seed).normal(sizes, at::kDouble);
  }
  double loss() const {
    const auto point = net_->linearize(w_, h_);
    return ((g_ * point->value()).sum() + (u_ * point->jvp(t_)).sum()).item<double>();
  }

  ContractiveNetPtr net_;
  at::Tensor w_ = draw(4, {kNetBatch, 24}), g_ = draw(5, {kNetBatch, 24});
  at::Tensor u_ = draw(6, {kNetProbes, kNetBatch, 24}), t_ = draw(7, {kNetProbes, kNetBatch, 24});
  at::Tensor h_ = draw(8, {kNetBatch, kNetCondition});
};

TEST_P(ConvNet, ProductsAreDerivativesAndTransposes) {
  const auto point = net_->linearize(w_, h_);
  const NetMap map = net_->map(h_);
  EXPECT_TRUE(near(point->value(), map(w_, {}), 1e-13));
  const at::Tensor along = point->jvp(t_);
  constexpr double kStepOfNet = 1e-6;
  for (int64_t p = 0; p < kNetProbes; ++p) {
    const at::Tensor difference =
        (map(w_ + kStepOfNet * t_[p], {}) - map(w_ - kStepOfNet * t_[p], {})) / (2 * kStepOfNet);
    EXPECT_TRUE(near(along[p], difference, 1e-7));
  }
  EXPECT_NEAR((u_ * along).sum().item<double>(), (point->vjp(u_) * t_).sum().item<double>(), 1e-11);
}

TEST_P(ConvNet, DualReverseGivesEveryGradient) {
  const NetGradients found = net_->linearize(w_, h_)->gradients(g_, u_, t_);
  const auto agrees = [&](const at::Tensor& gradient, const at::Tensor& at_, bool refresh,
                          const std::string& what) {
    const at::Tensor direction = draw(20, at_.sizes());
    const double difference = central_difference(
        [&] {
          if (refresh) net_->refresh(true);
          return loss();
        },
        at_, direction);
    net_->refresh(true);
    const double along = (gradient * direction).sum().item<double>();
    EXPECT_NEAR(along, difference, kNetDifference * (10 + std::abs(along))) << what;
  };
  agrees(found.w, w_, false, "w");
  agrees(found.condition, h_, false, "condition");
  size_t k = 0;
  for (const auto& item : net_->named_parameters())
    agrees(found.parameters[k++], item.value(), true, item.key());
}

TEST_P(ConvNet, IsProvenAndObservedSlopesStayBelowTheBound) {
  EXPECT_TRUE(net_->proven());
  EXPECT_LE(net_->lipschitz(), 0.9 * (1 + 1e-12));
  EXPECT_GT(net_->curvature(), 0.0);
  const at::Tensor a = draw(9, {200, 24}), b = a + draw(10, {200, 24}) * 0.05;
  const NetMap g = net_->map(draw(11, {1, kNetCondition}).expand({200, kNetCondition}));
  const at::Tensor ratio = (g(a, {}) - g(b, {})).norm(2, 1) / (a - b).norm(2, 1);
  EXPECT_LE(ratio.max().item<double>(), net_->lipschitz());
}

TEST_P(ConvNet, ReachesNoFartherThanItsRadius) {
  const int64_t radius = net_->receptive_radius().value();
  const EventShape large{2, 9, 8};
  const ContractiveNetPtr net = make_net(large, kNetCondition, GetParam().options, Rng(3));
  net->to(at::kDouble);
  const at::Tensor w = draw(12, {1, large.size()}), h = draw(13, {1, kNetCondition});
  at::Tensor t = at::zeros({1, 1, 2, 9, 8}, at::kDouble);
  t[0][0][1][4][3] = 1.0;
  const at::Tensor moved =
      net->linearize(w, h)->jvp(t.view({1, 1, -1})).view({2, 9, 8}).abs().sum(0).gt(0);
  for (int64_t y = 0; y < 9; ++y) {
    for (int64_t x = 0; x < 8; ++x) {
      const bool near_by = std::abs(y - 4) <= radius && std::abs(x - 3) <= radius;
      if (!near_by) {
        EXPECT_FALSE(moved[y][x].item<bool>()) << y << ", " << x;
      }
    }
  }
  EXPECT_TRUE(moved[4 + radius][3 - radius].item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Nets, ConvNet, ::testing::ValuesIn(conv_nets()),
                         [](const auto& test) { return test.param.name; });

TEST(ConvNetOptions, ShapesAreThoseOfThePapers) {
  const ContractiveNetPtr residual = make_net({1, 28, 28}, 0,
                                              {.kind = NetKind::kSequential,
                                               .hidden = {512, 512},
                                               .kernels = {3, 1, 3},
                                               .activation = Activation::kLipSwish,
                                               .norm = NormMethod::kEstimated},
                                              Rng(1));
  auto named = residual->named_parameters();
  EXPECT_EQ(named["layers.1.weight"].sizes(), (at::IntArrayRef{512, 1, 3, 3}));
  EXPECT_EQ(named["layers.3.weight"].sizes(), (at::IntArrayRef{512, 512}));
  EXPECT_EQ(named["layers.5.weight"].sizes(), (at::IntArrayRef{1, 512, 3, 3}));
  EXPECT_EQ(residual->receptive_radius(), 2);
  EXPECT_EQ(residual->dim(), 784);
  const ContractiveNetPtr dense = make_net({3, 8, 8}, 0,
                                           {.depth = 3,
                                            .growth = 172,
                                            .kernels = {3, 3, 3, 1},
                                            .activation = Activation::kClipSwish,
                                            .norm = NormMethod::kEstimated},
                                           Rng(1));
  named = dense->named_parameters();
  EXPECT_EQ(named["layers.3.inner.0.weight"].sizes(), (at::IntArrayRef{86, 347, 3, 3}));
  EXPECT_EQ(named["layers.4.weight"].sizes(), (at::IntArrayRef{3, 519}));
  EXPECT_EQ(dense->receptive_radius(), 3);
}

// Linear to 64, three dense layers of 16 that double, linear back.
TEST(ConvNetOptions, AStemMakesTheLayersOfManyNumbersSmall) {
  const ContractiveNetPtr net = make_net({3, 8, 8}, 0,
                                         {.depth = 3,
                                          .growth = 32,
                                          .stem = 64,
                                          .activation = Activation::kClipSwish,
                                          .norm = NormMethod::kEstimated},
                                         Rng(1));
  auto named = net->named_parameters();
  EXPECT_EQ(named["layers.0.weight"].sizes(), (at::IntArrayRef{64, 192}));
  EXPECT_EQ(named["layers.3.inner.0.weight"].sizes(), (at::IntArrayRef{16, 128}));
  EXPECT_EQ(named["layers.4.weight"].sizes(), (at::IntArrayRef{192, 160}));
  NetOptions grid = dense_convolutions(Activation::kTanh);
  grid.stem = 4;
  EXPECT_THAT(error_of<ConfigError>([&] {
                make_net({2, 4, 4}, 0, grid, Rng(1));
              }),
              HasSubstr("expected one side for each of the 4 linear layers, got 3"));
  grid.kernels = {1, 3, 3, 1};
  EXPECT_EQ(make_net({2, 4, 4}, 0, grid, Rng(1))->receptive_radius(), 2);
}

// Norms of wide convolutions take long: they wait for the first refresh, and until then the net
// is a constant, which needs no norm to be proven.
TEST(ConvNetOptions, WideNetsWaitForTheirNorms) {
  NetOptions options{.kind = NetKind::kSequential,
                     .hidden = {300, 300},
                     .kernels = {3, 1, 3},
                     .activation = Activation::kLipSwish,
                     .activate_input = true,
                     .lipschitz = 0.9};
  const ContractiveNetPtr net = make_net({2, 3, 3}, 0, options, Rng(1));
  net->to(at::kDouble);  // does not end the wait either
  const at::Tensor w = Rng(2).normal({3, 18}, at::kDouble), v = Rng(3).normal({3, 18}, at::kDouble);
  const auto before = net->linearize(w, {});
  EXPECT_TRUE(at::equal(before->value(), net->linearize(v, {})->value()));
  EXPECT_EQ(before->jvp(v.unsqueeze(0)).abs().max().item<double>(), 0.0);
  const at::Tensor g = Rng(4).normal({3, 18}, at::kDouble);
  const NetGradients gradients = before->gradients(g, {}, {});
  for (const at::Tensor& gradient : gradients.parameters)
    EXPECT_TRUE(at::isfinite(gradient).all().item<bool>());
  EXPECT_TRUE(net->proven());
  EXPECT_LE(net->lipschitz(), 0.9);
  net->refresh(false);  // the first one counts, whatever norm_every is
  EXPECT_TRUE(net->proven());
  EXPECT_LE(net->lipschitz(), 0.9);
  EXPECT_GT(net->lipschitz(), 0.05);
  const auto after = net->linearize(w, {});
  EXPECT_FALSE(at::equal(after->value(), net->linearize(v, {})->value()));
}

TEST(ConvNetOptions, WithoutKernelsAnImageIsARow) {
  const NetOptions options{.depth = 2, .growth = 4};
  const ContractiveNetPtr image = make_net({2, 2, 2}, 0, options, Rng(1));
  const ContractiveNetPtr row = make_net(8, 0, options, Rng(1));
  const at::Tensor w = Rng(2).normal({4, 8}, at::kFloat);
  EXPECT_TRUE(at::equal(image->map({})(w, {}), row->map({})(w, {})));
}

TEST(ConvNetOptions, ContradictionsAreNamed) {
  const auto text = [](const NetOptions& options, const EventShape& event = {2, 4, 4}) {
    return error_of<ConfigError>([&] { make_net(event, 0, options, Rng(1)); });
  };
  NetOptions o = three_one_three(Activation::kTanh);
  EXPECT_THAT(text(o, 32), HasSubstr("[net] kernels: expected an event [channels, height, width], "
                                     "or no kernels, got the event 32."));
  o.kernels = {3, 3};
  EXPECT_THAT(text(o), HasSubstr("expected one side for each of the 3 linear layers, got 2"));
  o.kernels = {3, 2, 3};
  EXPECT_THAT(text(o), HasSubstr("kernels: expected odd sides of at least 1, got 2"));
  o.kernels = {3, 1, 3};
  o.norm_order = NormOrder::kInfinity;
  EXPECT_THAT(text(o), HasSubstr("norm_order: expected 'two' with kernels"));
  EXPECT_THAT(error_of<ConfigError>([] { GridLayer(8, GridLayer::Direction::kToGrid); }),
              HasSubstr("[GridLayer] image: expected [channels, height, width], got 8"));
}

TEST(GridLayer, MovesTheChannelsLastAndBack) {
  const EventShape image{2, 3, 4};
  const GridLayer to(image, GridLayer::Direction::kToGrid);
  const GridLayer back(image, GridLayer::Direction::kToRows);
  const at::Tensor rows = at::arange(48, at::kDouble).view({2, 24});
  Tape tape;
  const at::Tensor grid = to.value(tape, rows);
  ASSERT_EQ(grid.sizes(), (at::IntArrayRef{2, 3, 4, 2}));
  EXPECT_EQ(grid[1][2][1][1].item<double>(), 24 + 12 + 2 * 4 + 1);
  EXPECT_TRUE(at::equal(back.value(tape, grid), rows));
  EXPECT_TRUE(at::equal(to.vjp(tape, grid.unsqueeze(0)), rows.unsqueeze(0)));
  const at::Tensor unit = at::eye(24, at::kDouble).unsqueeze(1).expand({24, 2, 24});
  EXPECT_TRUE(at::equal(to.vjp(tape, to.jvp(tape, unit, false)), unit));
  EXPECT_EQ(to.receptive_radius(), 0);
  EXPECT_EQ(to.euclidean_proof(), 1.0);
}

}  // namespace
}  // namespace contraflow
