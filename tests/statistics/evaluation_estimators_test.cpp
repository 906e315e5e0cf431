#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/log_det/gauss_legendre.h"
#include "contraflow/log_det/hessenberg_log.h"
#include "contraflow/log_det/log_det.h"
#include "contraflow/log_det/series.h"
#include "contraflow/networks/net_options.h"
#include "tests/support/statistics.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::near;
using testing::z_test;

struct FormCase {
  const char* name;
  BlockForm form;
};

const FormCase kForms[] = {
    {"residual", {1, 0, 1, 1}},
    {"inverse_residual", {1, 1, 1, 0}},
    {"monotone", {std::sqrt(0.5), std::sqrt(0.5), std::sqrt(0.5), -std::sqrt(0.5)}},
};

// Four features and four Rademacher probes are a whole Hadamard group: the trace is exact, and what
// is left of an error is the estimator's bias.
constexpr int64_t kEstimatedDim = 4;
constexpr int64_t kGroup = 4;
// Rounding of traces and determinants of size 1 in float64.
constexpr double kRounding = 1e-12;

class EvaluationEstimator : public ::testing::TestWithParam<FormCase> {
 protected:
  EvaluationEstimator() {
    net_ = make_net(kEstimatedDim, 0,
                    {.kind = NetKind::kDense,
                     .depth = 2,
                     .growth = 8,
                     .activation = Activation::kClipSwish,
                     .lipschitz = 0.9,
                     .init_gain = 4.0},
                    Rng(5));
    net_->to(at::kDouble);
    w_ = Rng(6).normal({40, kEstimatedDim}, at::kDouble);
  }

  LogDetEstimate estimate(const at::Tensor& w, const LogDetOptions& options, const Rng& rng,
                          bool with_gradient = false) const {
    return estimate_log_det(GetParam().form, *net_->linearize(w, {}), net_->bound(), options, rng,
                            with_gradient);
  }
  LogDetEstimate exact(const at::Tensor& w, bool with_gradient = false) const {
    return estimate(w, ExactLogDet{}, Rng(0), with_gradient);
  }
  // The same with coefficients 5 % too large: what a wrong estimator would give.
  LogDetEstimate planted(const at::Tensor& w, const LogDetOptions& options, const Rng& rng) const {
    BlockForm form = GetParam().form;
    form.b *= 1.05;
    form.d *= 1.05;
    return estimate_log_det(form, *net_->linearize(w, {}), net_->bound(), options, rng, false);
  }

  at::Tensor gradient(const LogDetEstimate& e) const {
    const at::Tensor c = 1 + 0.5 * Rng(3).normal({w_.size(0)}, at::kDouble);
    const NetGradients g = net_->linearize(w_, {})->gradients({}, e.u * c.view({1, -1, 1}), e.t);
    std::vector<at::Tensor> flat = {g.w.flatten()};
    for (const at::Tensor& p : g.parameters) flat.push_back(p.flatten());
    return at::cat(flat);
  }

  ContractiveNetPtr net_;
  at::Tensor w_;
};

TEST_P(EvaluationEstimator, KrylovWithAllStepsIsExact) {
  const LogDetEstimate e =
      estimate(w_, KrylovQuadrature{.steps = 9, .probes = kGroup}, Rng(1), true);
  EXPECT_TRUE(near(e.value, exact(w_).value, kRounding));
  EXPECT_LT(e.bias_bound.max().item<double>(), 1e-11);
  EXPECT_TRUE(near(e.standard_error, at::zeros_like(e.value), 0.0));
  EXPECT_TRUE(near(gradient(e), gradient(exact(w_, true)), 1e-11));
}

TEST_P(EvaluationEstimator, KrylovConvergesWithinItsBound) {
  // A wider net, so that six steps are far from all.
  const int64_t dim = 16;
  const ContractiveNetPtr net = make_net(dim, 0,
                                         {.kind = NetKind::kSequential,
                                          .hidden = {16},
                                          .activation = Activation::kTanh,
                                          .lipschitz = 0.95,
                                          .init_gain = 4.0},
                                         Rng(2));
  net->to(at::kDouble);
  const auto point = net->linearize(0.3 * Rng(4).normal({20, dim}, at::kDouble), {});
  const BlockForm& form = GetParam().form;
  const at::Tensor truth =
      estimate_log_det(form, *point, net->bound(), ExactLogDet{}, Rng(0), false).value;
  double first = 0, error = 0;
  for (const int64_t steps : {1, 2, 4, 6, 8, 12, 16}) {
    const LogDetEstimate e = estimate_log_det(
        form, *point, net->bound(), KrylovQuadrature{.steps = steps, .probes = dim}, Rng(1), false);
    const at::Tensor gap = (e.value - truth).abs();
    EXPECT_TRUE(gap.le(e.bias_bound + kRounding).all().item<bool>()) << steps;
    error = gap.max().item<double>();
    if (steps == 1) first = error;
    if (steps == 6) {
      EXPECT_LT(error, 1e-2 * first);
      EXPECT_LT(e.bias_bound.max().item<double>(), 0.5);
    }
  }
  EXPECT_GT(first, 1e-3);
  EXPECT_LT(error, kRounding * dim);
}

TEST_P(EvaluationEstimator, AdaptiveStopsWithinItsTolerance) {
  const at::Tensor truth = exact(w_).value;
  for (const double tolerance : {1e-1, 1e-3, 1e-6, 1e-10}) {
    const LogDetEstimate e =
        estimate(w_, AdaptiveSeries{.tolerance = tolerance, .probes = kGroup}, Rng(1));
    EXPECT_TRUE(e.bias_bound.le(tolerance).all().item<bool>()) << tolerance;
    EXPECT_TRUE((e.value - truth).abs().le(e.bias_bound + kRounding).all().item<bool>());
    // A bound far below the tolerance means terms for nothing.
    EXPECT_GT(e.bias_bound.max().item<double>(), 1e-2 * tolerance);
  }
}

TEST_P(EvaluationEstimator, AdaptiveRowsAreTruncatedSeriesOfTheirOwnLength) {
  const AdaptiveSeries options{.tolerance = 1e-4, .probe = ProbeKind::kGaussian};
  const LogDetEstimate e = estimate(w_, options, Rng(1), true);
  at::Tensor found = at::zeros({w_.size(0)}, at::kLong);
  for (int64_t terms = 1; terms <= 60; ++terms) {
    const LogDetEstimate t =
        estimate(w_, TruncatedSeries{.terms = terms, .probe = ProbeKind::kGaussian}, Rng(1), true);
    const at::Tensor first = t.bias_bound.le(options.tolerance).logical_and(found.eq(0));
    found.masked_fill_(first, terms);
    const at::Tensor rows = first.nonzero().flatten();
    EXPECT_TRUE(near(e.value.index_select(0, rows), t.value.index_select(0, rows), kRounding));
    EXPECT_TRUE(near(e.u.index_select(1, rows), t.u.index_select(1, rows), kRounding));
    EXPECT_TRUE(
        near(e.bias_bound.index_select(0, rows), t.bias_bound.index_select(0, rows), kRounding));
  }
  EXPECT_TRUE(found.gt(0).all().item<bool>());
  EXPECT_GT(found.max().item<int64_t>(), found.min().item<int64_t>() + 1) << "no row left early";
}

TEST_P(EvaluationEstimator, AdaptiveDoesNotDependOnTheBatch) {
  const AdaptiveSeries options{.tolerance = 1e-5, .probes = 2};
  const at::Tensor whole = estimate(w_, options, Rng(1)).value;
  const at::Tensor end = estimate(w_.slice(0, 13), options, Rng(1).rows_from(13)).value;
  EXPECT_TRUE(near(whole.slice(0, 13), end, kRounding));
}

TEST_P(EvaluationEstimator, AdaptiveSaysWhenTheTermsRanOut) {
  const LogDetEstimate e =
      estimate(w_, AdaptiveSeries{.tolerance = 1e-12, .max_terms = 2, .probes = kGroup}, Rng(1));
  EXPECT_GT(e.bias_bound.max().item<double>(), 1e-12);
  EXPECT_TRUE((e.value - exact(w_).value).abs().le(e.bias_bound).all().item<bool>());
}

TEST_P(EvaluationEstimator, AdaptiveGradientIsTheExactOne) {
  const LogDetEstimate e =
      estimate(w_, AdaptiveSeries{.tolerance = 1e-12, .probes = kGroup}, Rng(1), true);
  EXPECT_TRUE(near(gradient(e), gradient(exact(w_, true)), 1e-10));
}

TEST_P(EvaluationEstimator, MeansAreExactAndAPlantedErrorIsSeen) {
  constexpr int64_t kRows = 100'000;
  constexpr double kPlantedErrors = 8.0;
  // A net and a point whose log-determinant is large beside the spread of the probes.
  net_ = make_net(3, 0,
                  {.kind = NetKind::kDense,
                   .depth = 2,
                   .growth = 8,
                   .activation = Activation::kClipSwish,
                   .lipschitz = 0.6,
                   .init_gain = 3.0},
                  Rng(5));
  net_->to(at::kDouble);
  const at::Tensor w = at::tensor({0.3, -0.8, 0.5}, at::kDouble).expand({kRows, 3});
  const double truth = exact(w.narrow(0, 0, 1)).value.item<double>();
  ASSERT_GT(std::abs(truth), 0.05) << "too small a log-det to see 5 %";
  for (const ProbeKind probe : {ProbeKind::kRademacher, ProbeKind::kGaussian, ProbeKind::kSphere}) {
    const LogDetOptions options[] = {AdaptiveSeries{.tolerance = 1e-7, .probe = probe},
                                     KrylovQuadrature{.steps = kEstimatedDim, .probe = probe}};
    for (const LogDetOptions& o : options) {
      EXPECT_TRUE(z_test(estimate(w, o, Rng(1)).value, truth));
      EXPECT_FALSE(z_test(planted(w, o, Rng(1)).value, truth, kPlantedErrors));
    }
  }
}

TEST_P(EvaluationEstimator, StandardErrorIsThatOfTheProbes) {
  constexpr int64_t kRows = 20'000;
  const at::Tensor w = w_.narrow(0, 0, 1).expand({kRows, kEstimatedDim});
  const LogDetOptions options[] = {
      AdaptiveSeries{.probes = 5, .probe = ProbeKind::kSphere},
      KrylovQuadrature{.steps = kEstimatedDim, .probes = 5, .probe = ProbeKind::kSphere},
      TruncatedSeries{.terms = 8, .probes = 5, .probe = ProbeKind::kSphere}};
  for (const LogDetOptions& o : options) {
    const LogDetEstimate e = estimate(w, o, Rng(1));
    const double spread = e.value.std().item<double>();
    EXPECT_NEAR(e.standard_error.square().mean().sqrt().item<double>(), spread, 0.03 * spread);
  }
  EXPECT_FALSE(estimate(w_, KrylovQuadrature{}, Rng(1)).standard_error.defined());
  EXPECT_FALSE(exact(w_).standard_error.defined());
  EXPECT_FALSE(exact(w_).bias_bound.defined());
}

TEST_P(EvaluationEstimator, Float32AgreesToItsRounding) {
  const at::Tensor truth = exact(w_).value;
  net_->to(at::kFloat);
  for (const LogDetOptions& o :
       {LogDetOptions(AdaptiveSeries{.tolerance = 1e-5, .probes = kGroup}),
        LogDetOptions(KrylovQuadrature{.steps = kEstimatedDim, .probes = kGroup})}) {
    EXPECT_TRUE(near(estimate(w_.to(at::kFloat), o, Rng(1)).value, truth, 3e-5));
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, EvaluationEstimator, ::testing::ValuesIn(kForms),
                         [](const auto& test) { return test.param.name; });

TEST(GaussLegendre, IntegratesPolynomialsAndSeparatesItsNodes) {
  for (const int64_t count : {1, 2, 5, 16, 64, 256}) {
    const QuadratureRule rule = gauss_legendre(count);
    for (const int64_t power : {int64_t{0}, int64_t{1}, count, 2 * count - 1}) {
      double sum = 0;
      for (size_t i = 0; i < rule.nodes.size(); ++i)
        sum += rule.weights[i] * std::pow(rule.nodes[i], power);
      EXPECT_NEAR(sum, 1.0 / static_cast<double>(power + 1), 1e-14) << count << " " << power;
    }
    double behind = 0;
    for (size_t i = 0; i < rule.nodes.size(); ++i) {
      EXPECT_GT(rule.nodes[i], behind);
      behind += rule.weights[i];
      EXPECT_LT(rule.nodes[i], behind);
    }
  }
}

TEST(HessenbergLog, GivesTheLogarithmOfANumber) {
  for (const double ratio : {1.0, -1.0, 0.5}) {
    for (const double h : {-0.99, -0.5, 0.0, 0.3, 0.99}) {
      const double matrix[] = {h, 0.0};  // [2, 1], nothing leaves the space
      const HessenbergLog::Result r = HessenbergLog(ratio, 0.99).evaluate(matrix, 1);
      EXPECT_NEAR(r.value, std::log1p(ratio * h), 1e-12);
      EXPECT_LE(std::abs(r.value - std::log1p(ratio * h)), r.bound + 1e-14);
    }
  }
}

// The bound must hold for the worst operators: all of norm kappa.
TEST(HessenbergLog, BoundHoldsForOperatorsOfFullNorm) {
  for (const double kappa : {0.5, 0.9, 0.99}) {
    for (int64_t seed = 0; seed < 20; ++seed) {
      const int64_t d = 12;
      const Rng rng(static_cast<uint64_t>(seed));
      at::Tensor q = std::get<0>(at::linalg_qr(rng.normal({d, d}, at::kDouble)));
      if (seed % 2 == 0) {  // a normal operator with both ends of the spectrum
        at::Tensor spread = at::linspace(-1, 1, d, at::kDouble);
        q = q.mm(at::diag(spread)).mm(q.t());
      }
      const at::Tensor j = kappa * q;
      const at::Tensor eye = at::eye(d, at::kDouble);
      at::Tensor log = at::zeros_like(j), power = eye.clone();
      for (int64_t k = 1; k <= 6000; ++k) {
        power = power.mm(j);
        log = log + power * ((k % 2 == 1 ? 1.0 : -1.0) / static_cast<double>(k));
      }
      at::Tensor v = rng.fork("v").normal({d}, at::kDouble);
      v = v / v.norm();
      const double truth = v.dot(log.mv(v)).item<double>();
      for (const int64_t m : {1, 2, 4, 7}) {
        at::Tensor basis = at::zeros({m + 1, d}, at::kDouble);
        at::Tensor h = at::zeros({m + 1, m}, at::kDouble);
        basis[0] = v;
        for (int64_t k = 0; k < m; ++k) {
          at::Tensor w = j.mv(basis[k]);
          for (int pass = 0; pass < 2; ++pass) {
            for (int64_t i = 0; i <= k; ++i) {
              const at::Tensor along = basis[i].dot(w);
              h[i][k] += along;
              w = w - along * basis[i];
            }
          }
          h[k + 1][k] = w.norm();
          basis[k + 1] = w / w.norm();
        }
        const auto r = HessenbergLog(1.0, kappa).evaluate(h.const_data_ptr<double>(), m);
        EXPECT_LE(std::abs(r.value - truth), r.bound + 1e-12) << kappa << " " << seed << " " << m;
      }
    }
  }
}

}  // namespace
}  // namespace contraflow
