#include "contraflow/networks/induced_norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/core/vector_norm.h"
#include "contraflow/networks/net_options.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using testing::near;

constexpr double kInf = kInfinityOrder;
constexpr double kTight = 1e-13;

struct Norm {
  NormInterval bounds;
  at::Tensor left, right;
};

Norm norm_of(const at::Tensor& w, double p, double q) {
  Norm out{{}, at::zeros({w.size(0)}, at::kDouble), at::zeros({w.size(1)}, at::kDouble)};
  out.bounds = update_induced_norm(w, out.left, out.right, p, q, NormMethod::kCholesky, kTight);
  return out;
}

at::Tensor weight(uint64_t seed, int64_t o = 7, int64_t i = 5) {
  return Rng(seed).normal({o, i}, at::kDouble);
}

double size(const at::Tensor& v, double order) { return row_norm(v, order).item<double>(); }

// The largest |W x|_q / |x|_p met by many random x and by all sign vectors.
double observed(const at::Tensor& w, double p, double q) {
  at::Tensor x = Rng(99).normal({20'000, w.size(1)}, at::kDouble);
  x = at::cat({x, x.sign(), x * x.abs().pow(4), at::eye(w.size(1), at::kDouble)});
  return (row_norm(x.mm(w.t()), q) / row_norm(x, p)).max().item<double>();
}

TEST(VectorNorm, AgreesWithLibTorchAndReachesItsDual) {
  const at::Tensor v = Rng(1).normal({6}, at::kDouble) * 1e3;
  for (const double p : {1.0, 1.3, 2.0, 3.7, kInf}) {
    EXPECT_NEAR(vector_norm(v.const_data_ptr<double>(), 6, p), size(v, p), 1e-9);
    const at::Tensor x = dual_rows(v.unsqueeze(0), p)[0];
    EXPECT_NEAR(size(x, p), 1.0, 1e-12);
    EXPECT_NEAR(x.dot(v).item<double>(), size(v, dual_order(p)), 1e-9);
    for (const double r : {1.0, 1.5, 2.0, kInf}) {  // the constant is reached by one of these
      const at::Tensor ones = at::ones({6}, at::kDouble), unit = at::eye(6, at::kDouble)[0];
      EXPECT_NEAR(std::max(size(ones, r) / size(ones, p), size(unit, r) / size(unit, p)),
                  norm_ratio(p, r, 6), 1e-12);
    }
  }
}

TEST(InducedNorm, ExactOnesAreBoundsThatArePairsReach) {
  const std::pair<double, double> orders[] = {{1, 1},    {1, 2},    {1, 3.5},     {1, kInf},
                                              {2, kInf}, {3, kInf}, {kInf, kInf}, {2, 2}};
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const at::Tensor w = weight(seed);
    for (const auto& [p, q] : orders) {
      EXPECT_TRUE(induced_norm_is_exact(p, q));
      const Norm n = norm_of(w, p, q);
      EXPECT_LE(observed(w, p, q), n.bounds.upper) << p << " " << q;
      EXPECT_GE(observed(w, p, q), 0.9 * n.bounds.lower) << p << " " << q;
      EXPECT_NEAR(size(n.right, p), 1.0, 1e-9);
      EXPECT_NEAR(size(w.mv(n.right), q), n.bounds.lower, 1e-6 * n.bounds.lower);
      EXPECT_NEAR(n.left.dot(w.mv(n.right)).item<double>(), n.bounds.lower, 1e-6 * n.bounds.lower);
      EXPECT_NEAR(size(n.left, dual_order(q)), 1.0, 1e-9);
    }
  }
  const at::Tensor w = weight(3);
  EXPECT_NEAR(norm_of(w, 1, 1).bounds.upper, w.abs().sum(0).max().item<double>(), 1e-9);
  EXPECT_NEAR(norm_of(w, kInf, kInf).bounds.upper, w.abs().sum(1).max().item<double>(), 1e-9);
}

TEST(InducedNorm, EstimatesAreReachedAndAreNotMissedByMuch) {
  const std::pair<double, double> orders[] = {{2, 1.5}, {1.5, 2.5}, {3, 3},    {1.7, 1.7},
                                              {2.4, 2}, {kInf, 2},  {kInf, 1}, {2, 1}};
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const at::Tensor w = weight(seed);
    for (const auto& [p, q] : orders) {
      EXPECT_FALSE(induced_norm_is_exact(p, q));
      const Norm n = norm_of(w, p, q);
      EXPECT_NEAR(size(w.mv(n.right), q) / size(n.right, p), n.bounds.lower, 1e-9);
      // Towards 1 and from infinity there are many local maxima: hence estimates and no bounds.
      const double part = std::isinf(p) || q == 1.0 ? 0.9 : 0.995;
      EXPECT_GE(n.bounds.lower, part * observed(w, p, q)) << p << " " << q << " seed " << seed;
    }
  }
}

// |W|_(p -> q) = |W^T|_(q* -> p*), of which one side may be exact.
TEST(InducedNorm, TransposesHaveTheDualOrders) {
  const at::Tensor w = weight(4);
  for (const auto& [p, q] : {std::pair{1.0, 2.0}, std::pair{1.7, 2.4}, std::pair{kInf, kInf}}) {
    EXPECT_NEAR(norm_of(w, p, q).bounds.lower,
                norm_of(w.t().contiguous(), dual_order(q), dual_order(p)).bounds.lower, 1e-6);
  }
}

TEST(InducedNorm, GeneralIterationIsThePowerIterationAtTwo) {
  const at::Tensor w = weight(6);
  EXPECT_NEAR(norm_of(w, 2.0 + 1e-9, 2.0).bounds.lower, at::linalg_matrix_norm(w, 2).item<double>(),
              1e-6);
}

TEST(InducedNorm, SlopesInTheOrdersAreFiniteDifferences) {
  constexpr double kStep = 1e-5;
  const at::Tensor w = weight(8);
  for (const auto& [p, q] : {std::pair{1.8, 2.3}, std::pair{2.2, 1.6}, std::pair{2.0, 2.01}}) {
    const auto log_norm = [&](double a, double b) {
      return std::log(norm_of(w, a, b).bounds.lower);
    };
    const Norm n = norm_of(w, p, q);
    const OrderSlopes slopes = log_norm_slopes(n.left, n.right, p, q);
    EXPECT_NEAR(slopes.by_input, (log_norm(p + kStep, q) - log_norm(p - kStep, q)) / (2 * kStep),
                1e-6);
    EXPECT_NEAR(slopes.by_output, (log_norm(p, q + kStep) - log_norm(p, q - kStep)) / (2 * kStep),
                1e-6);
    EXPECT_GT(slopes.by_input, 0.0);
    EXPECT_LT(slopes.by_output, 0.0);
  }
}

TEST(InducedNorm, ZeroAndBadWeights) {
  EXPECT_EQ(norm_of(at::zeros({3, 2}, at::kDouble), 1.5, 2).bounds.upper, 0.0);
  EXPECT_EQ(norm_of(at::zeros({3, 2}, at::kDouble), kInf, kInf).bounds.upper, 0.0);
  at::Tensor bad = weight(1);
  bad[0][0] = std::nan("");
  EXPECT_NE(error_of<NumericsError>([&] { norm_of(bad, 1, 1); }).find("induced_norm"),
            std::string::npos);
}

// ------------------------------------------------------------------------------------------- nets

NetOptions options_of(NormOrder order, std::vector<double> given = {}) {
  return {.kind = NetKind::kSequential,
          .hidden = {9, 6},
          .activation = Activation::kLipSwish,
          .lipschitz = 0.8,
          .norm_order = order,
          .norm_orders = std::move(given),
          .euclidean = 0.0,
          .norm_tolerance = 1e-9,
          .init_gain = 4.0};
}

// The largest |G(a) - G(b)|_p / |a - b|_p of pairs of points.
double observed_slope(const ContractiveNet& net, double p) {
  const at::Tensor a = 2 * Rng(1).normal({4000, net.dim()}, at::kDouble);
  const at::Tensor step = Rng(2).normal({4000, net.dim()}, at::kDouble);
  const at::Tensor b =
      a + 1e-3 * at::where(Rng(3).uniform({4000, 1}, at::kDouble) < 0.5, step, step.sign());
  const NetMap g = net.map({});
  return (row_norm(g(a, {}) - g(b, {}), p) / row_norm(a - b, p)).max().item<double>();
}

TEST(OrderedNet, IsBoundedInItsOwnNorm) {
  const struct {
    NetOptions options;
    double order;
    bool proven;
  } cases[] = {{options_of(NormOrder::kOne), 1, true},
               {options_of(NormOrder::kInfinity), kInf, true},
               {options_of(NormOrder::kTwo), 2, true},
               {options_of(NormOrder::kGiven, {1, 2, 0}), 1, false},
               {options_of(NormOrder::kGiven, {1, 2, 2}), 1, false},
               {options_of(NormOrder::kGiven, {0, 0, 0}), kInf, true},
               {options_of(NormOrder::kLearned), 2, false},
               {options_of(NormOrder::kLearnedShared), 2, false}};
  for (const auto& c : cases) {
    const ContractiveNetPtr net = make_net(4, 0, c.options, Rng(7));
    net->to(at::kDouble);
    EXPECT_EQ(net->norm_order(), c.order);
    EXPECT_EQ(net->proven(), c.proven);
    EXPECT_LE(net->lipschitz(), 0.8 + 1e-12);
    EXPECT_LE(observed_slope(*net, c.order), net->lipschitz());
    double before = c.order;
    for (const LayerBound& layer : net->layer_bounds()) {
      EXPECT_EQ(layer.input_order, before);
      before = layer.output_order;
    }
    EXPECT_EQ(before, c.order) << "the last layer ends where the first begins";
  }
}

// Caps on spectral norms prove what orders that are only estimated do not.
TEST(OrderedNet, SpectralCapsProveEstimatedOrders) {
  for (const double cap : {0.6, 0.8, 0.95}) {
    for (const Activation activation : {Activation::kLipSwish, Activation::kSwish}) {
      for (NetOptions options :
           {options_of(NormOrder::kLearned), options_of(NormOrder::kLearnedShared),
            options_of(NormOrder::kGiven, {1, 2, 2}), options_of(NormOrder::kGiven, {3, 1.5, 4})}) {
        options.activation = activation;
        options.euclidean = cap;
        const ContractiveNetPtr net = make_net(4, 0, options, Rng(7));
        net->to(at::kDouble);
        EXPECT_TRUE(net->proven());
        EXPECT_EQ(net->norm_order(), 2.0);
        EXPECT_LE(net->lipschitz(), cap * (1 + 1e-12));
        EXPECT_LE(net->euclidean_proof(), net->lipschitz() * (1 + 1e-5));
        EXPECT_LE(observed_slope(*net, 2.0), net->lipschitz());
        for (const LayerBound& layer : net->layer_bounds()) {
          EXPECT_TRUE(layer.proven);
          EXPECT_EQ(layer.input_order, 2.0);
          EXPECT_LE(layer.lower, layer.upper);
        }
        // The bound in the orders themselves is in force beside.
        options.euclidean = 0.0;
        const ContractiveNetPtr without = make_net(4, 0, options, Rng(7));
        without->to(at::kDouble);
        const double order = without->norm_order();
        EXPECT_LE(observed_slope(*net, order), without->lipschitz());
      }
    }
  }
}

TEST(OrderedNet, ExactOrdersNeedNoSpectralCaps) {
  NetOptions options = options_of(NormOrder::kInfinity);
  options.euclidean = 0.5;
  const ContractiveNetPtr net = make_net(4, 0, options, Rng(7));
  EXPECT_EQ(net->norm_order(), kInf);
  EXPECT_GT(net->lipschitz(), 0.5);
}

// A constant in one norm is none in another: what the certificate must not confuse.
TEST(OrderedNet, InfinityNormOfANetIsNotItsSpectralNorm) {
  const ContractiveNetPtr net = make_net(8, 0,
                                         {.kind = NetKind::kSequential,
                                          .hidden = {},
                                          .lipschitz = 0.9,
                                          .norm_order = NormOrder::kInfinity,
                                          .init_gain = 1.0},
                                         Rng(3));
  net->to(at::kDouble);
  const at::NoGradGuard guard;
  // Every row reads the first column: the rows sum to 1, the columns to 8.
  net->parameters()[0].zero_().select(1, 0).fill_(1.0);
  net->refresh(true);
  EXPECT_LE(net->lipschitz(), 0.9);
  EXPECT_GT(observed_slope(*net, 2.0), 1.0);
  EXPECT_NEAR(net->euclidean_proof(), 0.9 * std::sqrt(8.0), 1e-5);  // of the one weight
  EXPECT_GE(net->euclidean_proof(), observed_slope(*net, 2.0));
}

TEST(OrderedNet, RefusesWhatHasNoBound) {
  NetOptions dense{.norm_order = NormOrder::kInfinity};
  EXPECT_NE(error_of<ConfigError>([&] { validate(dense); }).find("sequential"), std::string::npos);
  NetOptions concatenating = options_of(NormOrder::kOne);
  concatenating.activation = Activation::kClipSwish;
  EXPECT_NE(error_of<ConfigError>([&] { validate(concatenating); }).find("concatenating"),
            std::string::npos);
  concatenating.norm_order = NormOrder::kInfinity;
  EXPECT_NO_THROW(validate(concatenating));
  EXPECT_NE(error_of<ConfigError>([&] {
              validate(options_of(NormOrder::kGiven, {2, 2}));
            }).find("one order for each of the 3"),
            std::string::npos);
  EXPECT_NE(error_of<ConfigError>([&] {
              validate(options_of(NormOrder::kGiven, {2, 0.5, 2}));
            }).find("at least 1"),
            std::string::npos);
  EXPECT_NE(error_of<ConfigError>([&] {
              validate(options_of(NormOrder::kOne, {1, 1, 1}));
            }).find("'given'"),
            std::string::npos);
}

}  // namespace
}  // namespace contraflow
