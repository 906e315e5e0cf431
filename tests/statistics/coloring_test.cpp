// Coloured probes: colourings, what they make exact, and that they are unbiased for the rest.
#include "contraflow/log_det/coloring.h"

#include <gtest/gtest.h>
#include <torch/nn/module.h>

#include <cmath>

#include "contraflow/log_det/log_det.h"
#include "contraflow/log_det/series.h"
#include "contraflow/networks/autograd_net.h"
#include "tests/statistics/forms.h"
#include "tests/support/statistics.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using testing::near;
using testing::z_test;

constexpr int64_t kBandedDim = 24;
const BlockForm kUnscaledMonotone{1, 1, 1, -1};

// tanh of a banded matrix of norm at most .8: feature i sees i - 1, i and i + 1.
class BandedNet {
 public:
  BandedNet() {
    const at::Tensor full = 0.5 + Rng(1).uniform({kBandedDim, kBandedDim}, at::kDouble);
    weight_ = full.triu(-1).tril(1);
    weight_ = weight_ * (0.8 / at::linalg_matrix_norm(weight_, 2).item<double>());
    net_ = std::make_shared<AutogradNet>(
        kBandedDim, 0.8, std::make_shared<torch::nn::Module>(),
        [w = weight_](const at::Tensor& x, const at::Tensor&) { return x.mm(w.t()).tanh(); });
    point_ = net_->linearize(0.3 * Rng(2).normal({5, kBandedDim}, at::kDouble), {});
  }
  const NetPoint& point() const { return *point_; }
  LogDetEstimate estimate(const BlockForm& form, const LogDetOptions& options,
                          const Rng& rng = Rng(3), bool with_gradient = false) const {
    return estimate_log_det(form, *point_, net_->bound(), options, rng, with_gradient);
  }
  // No two features of a colour are within `power` steps along the band.
  static std::vector<int64_t> colors(int64_t power) {
    std::vector<int64_t> out(kBandedDim);
    for (int64_t i = 0; i < kBandedDim; ++i) out[static_cast<size_t>(i)] = i % (power + 1);
    return out;
  }

 private:
  at::Tensor weight_;
  std::shared_ptr<AutogradNet> net_;
  std::unique_ptr<NetPoint> point_;
};

int64_t count(const std::vector<int64_t>& colors) {
  return *std::max_element(colors.begin(), colors.end()) + 1;
}

TEST(Coloring, ColouredProbesHaveIdentityCovariance) {
  const std::vector<int64_t> colors = {0, 1, 2, 0, 1, 2, 0, 0};
  constexpr int64_t kRows = 4096;
  const TruncatedSeries options{.probes = 8, .colors = colors};
  const at::Tensor v = draw_probes(options, kRows, 8, at::kDouble, Rng(5));
  EXPECT_EQ(v.size(0), 24);
  const at::Tensor all = v.flatten(0, 1);
  const at::Tensor covariance = all.t().mm(all) / static_cast<double>(all.size(0));
  // Features of one colour: signs of 8 x 4096 sets; of two: never together.
  EXPECT_TRUE(near(covariance, at::eye(8, at::kDouble), 5 / std::sqrt(8.0 * kRows)));
  EXPECT_TRUE(near(covariance.diagonal(), at::ones({8}, at::kDouble), 1e-12));
}

TEST(Coloring, TracesOfResolvedPowersAreExact) {
  const BandedNet net;
  const at::Tensor jac = jacobian(net.point());
  for (const BlockForm& form : {kResidual, BlockForm{1, 0.5, 1, -0.7}}) {
    at::Tensor expected = at::zeros({jac.size(0)}, at::kDouble), power = jac;
    for (int k = 1; k <= 3; ++k) {
      expected += series_coefficient(form, k) * power.diagonal(0, 1, 2).sum(1);
      power = power.matmul(jac);
    }
    const auto error = [&](const std::vector<int64_t>& colors) {
      const TruncatedSeries options{.terms = 3, .colors = colors};
      return (net.estimate(form, options).value - expected).abs().max().item<double>();
    };
    EXPECT_LT(error(net.colors(3)), 1e-13);
    EXPECT_GT(error(net.colors(1)), 1e-3);  // J^2 and J^3 are not resolved
    EXPECT_GT(error({}), 1e-2);
  }
}

TEST(Coloring, AllColoursAreTheExactTrace) {
  const BandedNet net;
  std::vector<int64_t> all(kBandedDim);
  for (int64_t i = 0; i < kBandedDim; ++i) all[static_cast<size_t>(i)] = i;
  for (const BlockForm& form : {kResidual, kUnscaledMonotone}) {
    const LogDetEstimate exact = net.estimate(form, ExactLogDet{}, Rng(0), true);
    const LogDetEstimate e =
        net.estimate(form, KrylovQuadrature{.steps = kBandedDim, .colors = all}, Rng(3), true);
    EXPECT_TRUE(near(e.value, exact.value, 1e-11));
    // sum_p u_p t_p^T is what the gradient sees.
    const auto outer = [](const LogDetEstimate& of) {
      return (of.u.unsqueeze(-1) * of.t.unsqueeze(-2)).sum(0);
    };
    EXPECT_TRUE(near(outer(e), outer(exact), 1e-10));
  }
}

constexpr int64_t kDraws = 120;

// [draws, rows]: the error of the value.
at::Tensor errors_of(const BandedNet& net, const BlockForm& form, const LogDetOptions& options) {
  const at::Tensor exact = net.estimate(kUnscaledMonotone, ExactLogDet{}).value;
  std::vector<at::Tensor> out;
  for (uint64_t k = 0; k < kDraws; ++k)
    out.push_back(net.estimate(form, options, Rng(11).fork(k)).value - exact);
  return at::stack(out);
}

TEST(Coloring, IsUnbiasedForAnyColouring) {
  const BandedNet net;
  std::vector<int64_t> poor(kBandedDim);  // neighbours share a colour
  for (int64_t i = 0; i < kBandedDim; ++i) poor[static_cast<size_t>(i)] = i / (kBandedDim / 4);
  const LogDetOptions options[] = {KrylovQuadrature{.colors = poor},
                                   AdaptiveSeries{.tolerance = 1e-4, .colors = net.colors(1)}};
  for (const LogDetOptions& o : options) {
    EXPECT_TRUE(z_test(errors_of(net, kUnscaledMonotone, o).mean(1), 0.0));
    BlockForm wrong = kUnscaledMonotone;
    wrong.d *= 1.05;
    EXPECT_FALSE(z_test(errors_of(net, wrong, o).mean(1), 0.0));
  }
}

double mean_square_error(const BandedNet& net, const LogDetOptions& options) {
  return errors_of(net, kUnscaledMonotone, options).square().mean().item<double>();
}

// Two colours of a band are what a pair of orthogonal plain probes resolves already: there is a
// gain from power 2 on, where the colours know the band and the signs do not.
TEST(Coloring, HasLessVarianceThanAsManyPlainProbes) {
  const BandedNet net;
  double before = mean_square_error(net, KrylovQuadrature{});
  for (const int64_t power : {1, 2, 4}) {
    const std::vector<int64_t> colors = net.colors(power);
    const double colored = mean_square_error(net, KrylovQuadrature{.colors = colors});
    EXPECT_LT(colored, before) << power;
    before = colored;
    if (power == 1) continue;
    const double plain = mean_square_error(net, KrylovQuadrature{.probes = count(colors)});
    EXPECT_LT(colored, plain / 50) << power;  // measured: 129, 16,700
  }
}

TEST(Coloring, StandardErrorsAreTheSpreadOfSets) {
  const BandedNet net;
  const KrylovQuadrature one{.colors = net.colors(1)};
  EXPECT_FALSE(net.estimate(kUnscaledMonotone, one).standard_error.defined());
  KrylovQuadrature two = one;
  two.probes = 2;
  std::vector<at::Tensor> squares;
  for (uint64_t k = 0; k < kDraws; ++k)
    squares.push_back(
        net.estimate(kUnscaledMonotone, two, Rng(11).fork(k)).standard_error.square());
  const double claimed = at::stack(squares).mean().item<double>();
  EXPECT_NEAR(claimed / mean_square_error(net, two), 1.0, 0.3);
  EXPECT_NEAR(claimed / mean_square_error(net, one), 0.5, 0.15);
}

TEST(Coloring, MistakesSayWhatToDo) {
  const BandedNet net;
  const auto message = [&](const LogDetOptions& options) {
    return error_of<ConfigError>([&] { net.estimate(kUnscaledMonotone, options); });
  };
  EXPECT_NE(message(TruncatedSeries{.colors = {0, 1}})
                .find("[log_det] colors: expected one colour for each of 24 features, got 2"),
            std::string::npos);
  std::vector<int64_t> gap(kBandedDim, 0);
  gap[3] = 2;
  EXPECT_NE(message(KrylovQuadrature{.colors = gap}).find("without a gap"), std::string::npos);
  gap[3] = -1;
  EXPECT_NE(message(KrylovQuadrature{.colors = gap}).find("without a gap"), std::string::npos);
  EXPECT_NE(message(AdaptiveSeries{.probe = ProbeKind::kGaussian, .colors = net.colors(1)})
                .find("[log_det] probe: expected rademacher"),
            std::string::npos);
}

}  // namespace
}  // namespace contraflow
