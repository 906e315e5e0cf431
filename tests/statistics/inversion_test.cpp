#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/models/presets.h"
#include "contraflow/transforms/contractive_block.h"

namespace contraflow {
namespace {

constexpr double kTolerance = 1e-6;
constexpr double kRoundTrip = 1e-12;  // forward solves, far below the error that is tested

struct InversionCase {
  FormKind form;
  double lipschitz;
  SolverMethod method;
};

class Inversion : public ::testing::TestWithParam<InversionCase> {};

// x -> z to rounding, then back with an error of 1e-6 asked for: the true error is known.
TEST_P(Inversion, BoundIsAboveTheTrueErrorOfEverySample) {
  const auto [form, lipschitz, method] = GetParam();
  for (const int64_t dim : {1, 2, 8}) {
    ContractiveBlockOptions options{.event = dim,
                                    .form = form,
                                    .solver = {.method = method, .max_iterations = 20'000},
                                    .tolerance = kRoundTrip};
    options.net = {
        .depth = 2, .growth = 16, .lipschitz = lipschitz, .norm_tolerance = 1e-4, .init_gain = 6.0};
    const auto net = make_net(dim, 0, options.net, Rng(3));
    ContractiveBlock exact(options, net);
    exact.to(at::kDouble);
    options.tolerance = kTolerance;
    const ContractiveBlock asked(options, net);

    const at::Tensor x = Rng(4).normal({500, dim}, at::kDouble) * 2;
    const TransformOutput back = asked.inverse(exact.forward(x).value);
    const at::Tensor error = (back.value - x).norm(2, 1);
    // The forward solve's own error reaches x multiplied by the inverse's constant.
    const double inherited = kRoundTrip * *exact.inverse_lipschitz();
    ASSERT_TRUE(back.solve_error_bound.defined());
    EXPECT_TRUE((error <= back.solve_error_bound + inherited).all().item<bool>())
        << (error - back.solve_error_bound).max().item<double>();
    EXPECT_LE(error.max().item<double>(), kTolerance);
    EXPECT_LE(back.solve_error_bound.max().item<double>(), kTolerance * (1 + 1e-6));
  }
}

std::vector<InversionCase> cases() {
  std::vector<InversionCase> out;
  for (const double lipschitz : {0.5, 0.9, 0.98}) {
    for (const SolverMethod method : {SolverMethod::kBanach, SolverMethod::kAnderson}) {
      out.push_back({FormKind::kResidual, lipschitz, method});
      out.push_back({FormKind::kMonotone, lipschitz, method});
    }
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Forms, Inversion, ::testing::ValuesIn(cases()));

}  // namespace
}  // namespace contraflow
