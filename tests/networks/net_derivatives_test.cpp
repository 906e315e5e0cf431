#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/networks/autograd_net.h"
#include "contraflow/networks/layered_net.h"
#include "contraflow/networks/net_options.h"

namespace contraflow {
namespace {

constexpr double kStep = 1e-5;
constexpr double kDifferenceError = 2e-8;  // central differences: step^2 plus rounding / step

struct NetCase {
  std::string name;
  NetOptions options;
  int64_t condition = 0;
};

std::vector<NetCase> cases() {
  std::vector<NetCase> out;
  for (const auto& [name, activation] : enum_names(Activation{})) {
    for (const NetKind kind : {NetKind::kSequential, NetKind::kDense}) {
      NetOptions o{
          .kind = kind,
          .hidden = {6, 8},
          .depth = 2,
          .growth = 4,
          .activation = activation,
          .activate_input = kind == NetKind::kSequential && activation != Activation::kMaxMin,
          .lipschitz = 0.9,
          .norm_tolerance = 1e-10,
          .init_gain = 2.5};
      const bool dense = kind == NetKind::kDense;
      out.push_back({std::string(name) + (dense ? "_dense" : "_sequential"), o, dense ? 2 : 0});
    }
  }
  out.push_back({"dense_stem",
                 {.kind = NetKind::kDense,
                  .depth = 2,
                  .growth = 4,
                  .stem = 5,
                  .activation = Activation::kClipSwish,
                  .lipschitz = 0.9,
                  .norm_tolerance = 1e-10,
                  .init_gain = 2.5},
                 2});
  // Orders that are learned, where their own norms bind and where the spectral caps do.
  for (const double euclidean : {0.99, 0.7}) {
    NetOptions o{.kind = NetKind::kSequential,
                 .hidden = {6, 8},
                 .activation = Activation::kLipSwish,
                 .lipschitz = 0.9,
                 .norm_order = NormOrder::kLearned,
                 .euclidean = euclidean,
                 .norm_tolerance = 1e-10,
                 .init_gain = 2.5};
    out.push_back({euclidean > 0.9 ? "learned_orders" : "spectral_caps", o, 0});
  }
  return out;
}

class NetDerivatives : public ::testing::TestWithParam<NetCase> {
 protected:
  static constexpr int64_t kDim = 3;
  static constexpr int64_t kBatch = 4;
  static constexpr int64_t kProbes = 2;

  NetDerivatives()
      : net_(make_net(kDim, GetParam().condition, GetParam().options, Rng(3))),
        w_(Rng(4).normal({kBatch, kDim}, at::kDouble)),
        g_(Rng(5).normal({kBatch, kDim}, at::kDouble)),
        u_(Rng(6).normal({kProbes, kBatch, kDim}, at::kDouble)),
        t_(Rng(7).normal({kProbes, kBatch, kDim}, at::kDouble)) {
    net_->to(at::kDouble);
    if (GetParam().condition > 0)
      condition_ = Rng(8).normal({kBatch, GetParam().condition}, at::kDouble);
  }

  at::Tensor value(const at::Tensor& w) const { return net_->map(condition_)(w, {}); }

  // The scalar whose gradients the dual reverse gives.
  double loss(const at::Tensor& w) const {
    const auto point = net_->linearize(w, condition_);
    return ((g_ * point->value()).sum() + (u_ * point->jvp(t_)).sum()).item<double>();
  }

  // Central difference of `loss` along each entry of `x`, which `refresh` makes felt.
  at::Tensor differences(at::Tensor x, const std::function<void()>& refresh) const {
    at::NoGradGuard guard;
    at::Tensor out = at::zeros_like(x);
    at::Tensor flat = x.view({-1});
    for (int64_t k = 0; k < flat.numel(); ++k) {
      const double kept = flat[k].item<double>();
      const auto at_offset = [&](double offset) {
        flat[k] = kept + offset;
        refresh();
        return loss(w_);
      };
      out.view({-1})[k] = (at_offset(kStep) - at_offset(-kStep)) / (2 * kStep);
      flat[k] = kept;
    }
    refresh();
    return out;
  }

  void expect_close(const at::Tensor& a, const at::Tensor& b, const std::string& what) const {
    const double scale = 1 + b.abs().max().item<double>();
    EXPECT_LE((a - b).abs().max().item<double>(), kDifferenceError * scale * 10) << what;
  }

  ContractiveNetPtr net_;
  at::Tensor w_, g_, u_, t_, condition_;
};

TEST_P(NetDerivatives, JvpIsTheDifferenceOfValuesAndVjpItsTranspose) {
  const auto point = net_->linearize(w_, condition_);
  expect_close(point->value(), value(w_), "value");
  const at::Tensor jt = point->jvp(t_);
  for (int64_t p = 0; p < kProbes; ++p) {
    expect_close(jt[p], (value(w_ + kStep * t_[p]) - value(w_ - kStep * t_[p])) / (2 * kStep),
                 "jvp");
  }
  EXPECT_NEAR((u_ * jt).sum().item<double>(), (point->vjp(u_) * t_).sum().item<double>(), 1e-12);
}

TEST_P(NetDerivatives, DualReverseGivesEveryGradient) {
  const NetGradients found = net_->linearize(w_, condition_)->gradients(g_, u_, t_);
  expect_close(found.w, differences(w_, [] {}), "w");
  if (condition_.defined())
    expect_close(found.condition, differences(condition_, [] {}), "condition");
  const auto named = net_->named_parameters();
  size_t k = 0;
  for (const auto& item : named) {
    expect_close(found.parameters[k++], differences(item.value(), [&] { net_->refresh(true); }),
                 item.key());
  }
}

// |J(a) - J(b)| of pairs near each other, whole Jacobians, against the bound on how fast it turns.
TEST_P(NetDerivatives, JacobiansTurnNoFasterThanTheCurvature) {
  const int64_t rows = 500;
  const at::Tensor a = Rng(12).normal({rows, kDim}, at::kDouble) * 2;
  const at::Tensor b = a + Rng(13).normal({rows, kDim}, at::kDouble) * 0.01;
  at::Tensor c;
  if (condition_.defined()) c = Rng(14).normal({rows, GetParam().condition}, at::kDouble);
  const at::Tensor unit =
      at::eye(kDim, at::kDouble).unsqueeze(1).expand({kDim, rows, kDim}).contiguous();
  const auto jacobian = [&](const at::Tensor& w) {
    return net_->linearize(w, c)->jvp(unit).permute({1, 2, 0});
  };
  const at::Tensor turn = at::linalg_matrix_norm(jacobian(a) - jacobian(b), 2);
  const double observed = (turn / (a - b).norm(2, 1)).max().item<double>();
  EXPECT_LE(observed, net_->curvature());
  EXPECT_GT(net_->curvature(), 0.0);
}

TEST(ActivationCurvature, IsTheLargestSecondDerivativeAndNotMuchMore) {
  const at::Tensor z = at::linspace(-12, 12, 480'001, at::kDouble).unsqueeze(1);
  for (const auto& [name, kind] : enum_names(Activation{})) {
    const double bound = curvature_constant(kind);
    if (is_sorting(kind) || !std::isfinite(bound)) continue;
    const at::Tensor second =
        activation_jet_composed(kind, z, at::ones({}, at::kDouble), 2).curvature;
    const double largest = second.norm(2, 1).max().item<double>();
    EXPECT_LE(largest, bound) << name;
    EXPECT_GE(largest, bound / std::sqrt(2.0) * 0.999) << name;
  }
}

TEST_P(NetDerivatives, ObservedSlopesStayBelowTheBound) {
  const at::Tensor a = Rng(9).normal({500, kDim}, at::kDouble) * 2;
  const at::Tensor b = a + Rng(10).normal({500, kDim}, at::kDouble) * 0.1;
  at::Tensor c;
  if (condition_.defined()) c = Rng(11).normal({500, GetParam().condition}, at::kDouble);
  const NetMap g = net_->map(c);
  const at::Tensor ratio = (g(a, {}) - g(b, {})).norm(2, 1) / (a - b).norm(2, 1);
  EXPECT_LE(ratio.max().item<double>(), net_->lipschitz());
  const NetOptions& options = GetParam().options;
  const double bound =
      options.norm_order == NormOrder::kTwo ? options.lipschitz : options.euclidean;
  EXPECT_LE(net_->lipschitz(), bound * (1 + 1e-12));
  EXPECT_TRUE(net_->proven());
}

INSTANTIATE_TEST_SUITE_P(Nets, NetDerivatives, ::testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

// The adapter and the layered net compute the same thing for the same weights.
TEST(AutogradNet, AgreesWithTheLayeredNet) {
  const NetOptions options{.kind = NetKind::kSequential,
                           .hidden = {7},
                           .activation = Activation::kTanh,
                           .lipschitz = 0.9,
                           .init_gain = 0.5};
  const auto layered = make_net(3, 0, options, Rng(1));
  layered->to(at::kDouble);
  const auto p = layered->named_parameters();
  const at::Tensor w1 = p["layers.0.weight"], b1 = p["layers.0.bias"];
  const at::Tensor w2 = p["layers.2.weight"], b2 = p["layers.2.bias"];
  const auto function = [=](const at::Tensor& w, const at::Tensor&) {
    return at::addmm(b2, at::tanh(at::addmm(b1, w, w1.t())), w2.t());
  };
  const AutogradNet wrapped(3, 0.9, layered, function);

  const at::Tensor w = Rng(2).normal({5, 3}, at::kDouble);
  const at::Tensor u = Rng(3).normal({2, 5, 3}, at::kDouble),
                   t = Rng(4).normal({2, 5, 3}, at::kDouble);
  const at::Tensor g = Rng(5).normal({5, 3}, at::kDouble);
  const auto ours = layered->linearize(w, {});
  const auto theirs = wrapped.linearize(w, {});
  constexpr double kEqual = 1e-12;
  EXPECT_TRUE(at::allclose(ours->value(), theirs->value(), 0, kEqual));
  EXPECT_TRUE(at::allclose(ours->jvp(t), theirs->jvp(t), 0, kEqual));
  EXPECT_TRUE(at::allclose(ours->vjp(u), theirs->vjp(u), 0, kEqual));
  const NetGradients a = ours->gradients(g, u, t);
  const NetGradients b = theirs->gradients(g, u, t);
  EXPECT_TRUE(at::allclose(a.w, b.w, 0, kEqual));
  ASSERT_EQ(a.parameters.size(), b.parameters.size());
  for (size_t k = 0; k < a.parameters.size(); ++k) {
    EXPECT_TRUE(at::allclose(a.parameters[k], b.parameters[k], 0, kEqual)) << k;
  }
}

}  // namespace
}  // namespace contraflow
