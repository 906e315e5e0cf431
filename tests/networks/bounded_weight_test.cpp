// Bounds that outlive casts of their buffers, and the rule that a weight is bounded by.
#include "contraflow/networks/bounded_weight.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/core/rng.h"
#include "contraflow/networks/lipschitz_linear.h"
#include "contraflow/networks/net_options.h"
#include "contraflow/networks/norm_orders.h"
#include "tests/networks/random_layers.h"

namespace contraflow {
namespace {

using testing::svd_norm;

constexpr double kBoundedCap = 0.9;
constexpr double kSvdError = 1e-14;

void cast(const at::Tensor& tensor, at::ScalarType type) {
  if (tensor.is_floating_point()) at::Tensor(tensor).set_data(tensor.detach().to(type));
}

// As a wrapped module is cast in Python: buffer by buffer, without Module::to().
void cast_buffers(torch::nn::Module& module, at::ScalarType type) {
  for (const at::Tensor& buffer : module.buffers()) cast(buffer, type);
}

void cast_tensors(torch::nn::Module& module, at::ScalarType type) {
  for (const at::Tensor& parameter : module.parameters()) cast(parameter, type);
  cast_buffers(module, type);
}

// A proof without slack, so that nothing hides a bound that was rounded down.
LipschitzLinear float64_layer(uint64_t seed, double gain, int64_t refresh_every = 1) {
  LipschitzLinear layer({.inputs = 12,
                         .outputs = 9,
                         .cap = kBoundedCap,
                         .norm_tolerance = 1e-9,
                         .refresh_every = refresh_every});
  layer.to(at::kDouble);
  layer.initialise(Rng(seed), gain);
  return layer;
}

void expect_bounded(const LipschitzLinear& layer, const std::string& what) {
  const double norm = svd_norm(layer.weight());
  EXPECT_GE(layer.bounds().upper, norm * (1 - kSvdError)) << what;
  EXPECT_LE(layer.bounds().lower, norm * (1 + kSvdError)) << what;
  EXPECT_LE(layer.lipschitz(), kBoundedCap) << what;
  EXPECT_LE(svd_norm(layer.effective_weight()), layer.lipschitz() * (1 + kSvdError)) << what;
}

TEST(BoundedWeight, BoundsHoldAfterCastsOfEachTensor) {
  int64_t too_small = 0;
  for (const double gain : {0.2, 3.0}) {  // the cap does not bind, and binds
    for (uint64_t seed = 0; seed < 10; ++seed) {
      for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
        LipschitzLinear layer = float64_layer(seed, gain);
        const double exact = layer.bounds().upper;
        const std::string what = c10::str(c10::toString(type), ", seed ", seed);
        cast_buffers(layer, type);
        expect_bounded(layer, "buffers alone, " + what);
        cast_tensors(layer, type);
        expect_bounded(layer, what);
        const double rounded = at::tensor(exact, at::kDouble).to(type).item<double>();
        too_small += rounded < svd_norm(layer.weight()) ? 1 : 0;
        cast_tensors(layer, at::kDouble);  // what was rounded stays rounded
        expect_bounded(layer, "there and back, " + what);
        EXPECT_GT(layer.bounds().upper, exact);
        layer.refresh(false);
        expect_bounded(layer, "refreshed, " + what);
        EXPECT_NEAR(layer.bounds().upper, svd_norm(layer.weight()), 1e-7 * exact);
        for (const at::Tensor& buffer : layer.buffers())
          EXPECT_EQ(buffer.scalar_type(), at::kDouble);
      }
    }
  }
  EXPECT_GT(too_small, 10) << "rounding alone lowers no bound: the test would see nothing";
}

TEST(BoundedWeight, TheDriftGoesOnAfterACastOfTheBuffers) {
  const at::NoGradGuard guard;
  LipschitzLinear layer = float64_layer(3, 3.0, /*refresh_every=*/10);
  cast_buffers(layer, at::kFloat);
  for (uint64_t step = 0; step < 25; ++step) {
    layer.parameters()[0].add_(Rng(2).fork(step).normal({9, 12}, at::kDouble), 3e-3);
    layer.refresh(false);
    expect_bounded(layer, c10::str("step ", step));
  }
}

TEST(BoundedWeight, SpectralCapsHoldAfterACast) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    NetOptions options{.kind = NetKind::kSequential,
                       .hidden = {9, 6},
                       .activation = Activation::kLipSwish,
                       .norm_order = NormOrder::kLearned,
                       .euclidean = 0.5,
                       .norm_tolerance = 1e-9,
                       .init_gain = 4.0};
    const ContractiveNetPtr net = make_net(4, 0, options, Rng(seed));
    net->to(at::kDouble);
    cast_tensors(*net, at::kFloat);
    EXPECT_LE(net->lipschitz(), 0.5 * (1 + 1e-12));
    EXPECT_LE(net->euclidean_proof(), net->lipschitz() * (1 + 1e-5));
    const at::Tensor w = Rng(5).normal({3, 4}, at::kFloat);
    net->linearize(w, {})->gradients(w, w.unsqueeze(0), w.unsqueeze(0));
    net->refresh(false);
    EXPECT_LE(net->euclidean_proof(), net->lipschitz() * (1 + 1e-5));
  }
}

// Uncast, nothing is widened: certificates and training keep their bits.
TEST(BoundedWeight, ConversionsThatCallToKeepTheProofExact) {
  LipschitzLinear layer({.inputs = 12, .outputs = 9, .cap = kBoundedCap, .norm_tolerance = 1e-9});
  layer.initialise(Rng(1), 3.0);
  layer.to(at::kDouble);
  EXPECT_NEAR(layer.bounds().upper, svd_norm(layer.weight()), 3e-9 * layer.bounds().upper);
  layer.to(at::kFloat);
  EXPECT_NEAR(layer.bounds().upper, svd_norm(layer.weight()), 3e-9 * layer.bounds().upper);
  EXPECT_EQ(layer.named_buffers()["bounds"].scalar_type(), at::kDouble);
}

// The largest entry in size times 3: a rule of another shape of weight and pair.
class EntryRule final : public NormRule {
 public:
  NormPair empty_pair(at::IntArrayRef /*sizes*/) const override {
    return {at::zeros({1}, at::kDouble), at::zeros({1}, at::kDouble)};
  }
  NormInterval update(const at::Tensor& weight, NormPair& pair) const override {
    const at::Tensor flat = weight.detach().to(at::kDouble).flatten();
    const auto at = flat.abs().argmax().item<int64_t>();
    pair.left.fill_(static_cast<double>(at));
    pair.right.fill_(flat[at].item<double>() < 0 ? -3.0 : 3.0);
    const double norm = 3 * flat.abs().max().item<double>();
    return {norm, norm};
  }
  bool proven() const override { return true; }
  at::Tensor slope(const NormPair& pair, const at::Tensor& weight) const override {
    at::Tensor out = at::zeros_like(weight);
    out.view({-1})[static_cast<int64_t>(pair.left.item<double>())] = pair.right.item<double>();
    return out;
  }
  double rounding_gain(at::IntArrayRef /*sizes*/) const override { return 1.0; }
};

TEST(BoundedWeight, HoldsAWeightOfAnyShapeUnderARuleOfItsOwn) {
  torch::nn::Module owner;
  BoundedWeight bounded(owner, {5, 3, 3, 2}, {.cap = 0.7, .rule = std::make_shared<EntryRule>()});
  at::Tensor raw = owner.named_parameters()["weight"];
  const at::NoGradGuard guard;
  raw.set_data(Rng(1).normal({5, 3, 3, 2}, at::kDouble));
  const at::Tensor g = Rng(2).normal({5, 3, 3, 2}, at::kDouble);
  const auto loss = [&] {
    bounded.refresh(true);
    return (bounded.effective() * g).sum().item<double>();
  };
  loss();
  EXPECT_NEAR(bounded.effective().abs().max().item<double>() * 3, 0.7, 1e-12);
  EXPECT_EQ(bounded.line("conv").name, "conv");
  EXPECT_TRUE(bounded.line("conv").proven);
  GradientMap gradients;
  bounded.add_gradient(g, gradients);
  const at::Tensor found = gradients.in_order({raw})[0].flatten();
  constexpr double kEntryStep = 1e-6;
  at::Tensor flat = raw.view({-1});
  for (int64_t k = 0; k < flat.numel(); ++k) {
    const double kept = flat[k].item<double>();
    flat[k] = kept + kEntryStep;
    const double above = loss();
    flat[k] = kept - kEntryStep;
    const double below = loss();
    flat[k] = kept;
    EXPECT_NEAR(found[k].item<double>(), (above - below) / (2 * kEntryStep), 1e-7) << k;
  }
}

}  // namespace
}  // namespace contraflow
