// Networks whose products run in bfloat16 within a float32 or float64 interface: what is certified
// must hold for the exact network.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/core/rng.h"
#include "contraflow/networks/autograd_net.h"
#include "contraflow/transforms/contractive_block.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using testing::near;

constexpr int64_t kNarrowDim = 4;
constexpr double kNarrowKappa = 0.8;

at::Tensor narrow_product(const at::Tensor& a, const at::Tensor& m) {
  return a.to(at::kBFloat16).matmul(m.to(at::kBFloat16)).to(a.options());
}

class NarrowPoint final : public NetPoint {
 public:
  NarrowPoint(at::Tensor weight, const at::Tensor& w, double roundoff)
      : weight_(std::move(weight)), value_(narrow_product(w, weight_.t())), roundoff_(roundoff) {}
  const at::Tensor& value() const override { return value_; }
  at::Tensor jvp(const at::Tensor& t) const override { return narrow_product(t, weight_.t()); }
  at::Tensor vjp(const at::Tensor& u) const override { return narrow_product(u, weight_); }
  double unit_roundoff() const override { return roundoff_; }
  NetGradients gradients(const at::Tensor& /*g*/, const at::Tensor& /*u*/,
                         const at::Tensor& /*t*/) override {
    return {};
  }
  std::unique_ptr<NetPoint> select(const at::Tensor& /*rows*/) const override { return {}; }
  std::unique_ptr<NetPoint> narrow(int64_t /*count*/) const override { return {}; }

 private:
  at::Tensor weight_, value_;
  double roundoff_;
};

// G(w) = W w, W of norm at most 0.8 with entries that bfloat16 holds.
class NarrowNet final : public ContractiveNet {
 public:
  explicit NarrowNet(bool tells) : tells_(tells) {
    const at::Tensor q =
        std::get<0>(at::linalg_qr(Rng(1).normal({kNarrowDim, kNarrowDim}, at::kDouble)));
    weight_ = (q * (kNarrowKappa * 0.99)).to(at::kBFloat16).to(at::kDouble);
  }
  int64_t dim() const override { return kNarrowDim; }
  double lipschitz() const override { return kNarrowKappa; }
  bool proven() const override { return true; }
  double unit_roundoff(at::ScalarType type) const override {
    const double own = contraflow::unit_roundoff(type);
    return tells_ ? std::max(own, contraflow::unit_roundoff(at::kBFloat16)) : own;
  }
  NetMap map(const at::Tensor& /*condition*/) const override {
    return [this](const at::Tensor& w, const at::Tensor& /*rows*/) {
      return narrow_product(w, weight_.t());
    };
  }
  std::unique_ptr<NetPoint> linearize(const at::Tensor& w,
                                      const at::Tensor& /*condition*/) const override {
    return std::make_unique<NarrowPoint>(weight_, w, unit_roundoff(w.scalar_type()));
  }
  void refresh(bool /*force*/) override {}
  const at::Tensor& weight() const { return weight_; }

 private:
  bool tells_;
  at::Tensor weight_;
};

// Whether the certified error of the inverse covers the true one, row by row.
bool is_covered(FormKind form, bool tells, at::ScalarType type) {
  const at::NoGradGuard guard;
  const auto net = std::make_shared<NarrowNet>(tells);
  const ContractiveBlock block({.event = kNarrowDim, .form = form}, net);
  const at::Tensor z = 3 * Rng(2).normal({64, kNarrowDim}, type);
  try {
    const TransformOutput back = block.inverse(z);
    // C w + D G(w) = z,  x = A w + B G(w).
    const BlockForm f = block.form();
    const at::Tensor eye = at::eye(kNarrowDim, at::kDouble), j = net->weight().t();
    const at::Tensor w = at::linalg_solve((eye * f.c + j * f.d).t(), z.to(at::kDouble).t()).t();
    const at::Tensor truth = w * f.a + w.mm(j) * f.b;
    const at::Tensor error = (back.value.to(at::kDouble) - truth).norm(2, at::IntArrayRef{1});
    return error.le(back.solve_error_bound.to(at::kDouble)).all().item<bool>();
  } catch (const ConvergenceError&) {
    return false;
  }
}

TEST(NarrowProducts, CertifiedErrorsCoverTheTrueOnes) {
  for (const FormKind form : {FormKind::kResidual, FormKind::kMonotone}) {
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      EXPECT_TRUE(is_covered(form, /*tells=*/true, type));
      EXPECT_FALSE(is_covered(form, /*tells=*/false, type)) << "the test sees no rounding";
    }
  }
}

// Arnoldi's basis ends where what is left of a product is rounding.
TEST(NarrowProducts, KrylovEndsAtTheRoundoffOfTheProducts) {
  const at::Tensor eye = at::eye(kNarrowDim, at::kDouble) * 0.7;  // any vector is invariant
  const at::Tensor w = at::zeros({2, kNarrowDim}, at::kDouble);
  const NarrowPoint tells(eye, w, unit_roundoff(at::kBFloat16));
  const BlockForm residual{1, 0, 1, 1};
  const auto estimate = [&](const NetPoint& point, int64_t steps) {
    return estimate_log_det(residual, point, kNarrowKappa,
                            KrylovQuadrature{.steps = steps, .probe = ProbeKind::kGaussian}, Rng(3),
                            false)
        .value;
  };
  EXPECT_TRUE(near(estimate(tells, 4), estimate(tells, 1), 1e-12));
  const NarrowPoint silent(eye, w, unit_roundoff(at::kDouble));
  EXPECT_FALSE(near(estimate(silent, 4), estimate(silent, 1), 1e-12));
}

TEST(NarrowProducts, ExactLogDetRefusesJacobiansThatDoNotFitIntoMemory) {
  constexpr int64_t kPixels = 3072;
  const AutogradNet net(kPixels, 0.5, std::make_shared<torch::nn::Module>(),
                        [](const at::Tensor& x, const at::Tensor&) { return 0.5 * x; });
  const auto point = net.linearize(at::zeros({64, kPixels}, at::kFloat), {});
  const std::string text = error_of<ConfigError>([&] { jacobian(*point); });
  EXPECT_NE(text.find("[exact] log_det: expected Jacobians of at most 536870912 numbers, got 64 "
                      "rows of 3072 features"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace contraflow
