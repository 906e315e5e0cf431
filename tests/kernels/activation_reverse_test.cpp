// The fused step of a dual reverse through an activation against its definition in float64.
#include "contraflow/kernels/activation_reverse.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "contraflow/core/rng.h"
#include "contraflow/kernels/isa.h"

namespace contraflow {
namespace {

// A few units in the last place; near zeros of pila's derivatives cancellation leaves more.
double reverse_tolerance(at::ScalarType dtype) { return dtype == at::kDouble ? 1e-13 : 4e-6; }

at::Tensor of(const at::Tensor& t, at::ScalarType dtype) { return t.defined() ? t.to(dtype) : t; }

ActivationTop of(const ActivationTop& top, at::ScalarType dtype) {
  return {of(top.value, dtype), of(top.tangent, dtype), of(top.t, dtype)};
}

ActivationTop draw_top(Activation kind, at::IntArrayRef sizes, int64_t probes, bool with_value) {
  std::vector<int64_t> wide = sizes.vec();
  wide.back() *= expansion(kind);
  const auto with_probes = [&](std::vector<int64_t> s) {
    s.insert(s.begin(), probes);
    return s;
  };
  ActivationTop top;
  if (with_value) top.value = Rng(1).normal(wide, at::kFloat);
  if (probes == 0) return top;
  top.tangent = Rng(2).normal(with_probes(wide), at::kFloat);
  top.t = Rng(3).normal(with_probes(sizes.vec()), at::kFloat);
  return top;
}

void expect_near(const at::Tensor& got, const at::Tensor& want, double tolerance, double size) {
  ASSERT_EQ(got.defined(), want.defined());
  if (!want.defined()) return;
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_TRUE(at::allclose(got.to(at::kDouble), want, tolerance, tolerance * size, true));
}

void expect_reverse(Activation kind, const at::Tensor& z, const ActivationTop& top) {
  const at::ScalarType exact = at::kDouble;
  const at::Tensor beta = has_beta(kind) ? at::scalar_tensor(1.3, at::kFloat) : at::Tensor();
  const at::Tensor z64 = z.to(exact), beta64 = of(beta, exact);
  const ActivationTop top64 = of(top, exact);
  const ActivationDown want = activation_reverse_composed(
      activation_jet_composed(kind, z64, beta64, 2), z64, beta64, top64);
  const double count = static_cast<double>(z.numel()) * 10;  // terms of the sum over all, and sizes
  for (const std::string& isa : kernels::available_isas()) {
    SCOPED_TRACE(isa);
    const kernels::ScopedIsa pin(isa);
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
      const ActivationDown got =
          activation_reverse(kind, of(z, dtype), of(beta, dtype), of(top, dtype));
      const double tolerance = reverse_tolerance(dtype);
      expect_near(got.value, want.value, tolerance, 20);
      expect_near(got.tangent, want.tangent, tolerance, 20);
      expect_near(got.beta, want.beta, tolerance, count);
    }
  }
}

class FusedReverse : public ::testing::TestWithParam<Activation> {};

TEST_P(FusedReverse, IsTheDefinitionAtEveryLength) {
  const Activation kind = GetParam();
  for (const int64_t features : {1, 3, 8, 17, 70}) {
    SCOPED_TRACE(features);
    const std::vector<int64_t> sizes{2, 3, 2, features};
    // Odd multiples of a step keep clear of kinks.
    const at::Tensor z = at::linspace(-6.03, 6.01, 12 * features, at::kFloat).view(sizes);
    for (const int64_t probes : {0, 1, 3}) {
      for (const bool with_value : {true, false}) {
        if (with_value || probes > 0)
          expect_reverse(kind, z, draw_top(kind, sizes, probes, with_value));
      }
    }
  }
}

TEST_P(FusedReverse, LongRowsAreCutAndSummedTheSameForAnyThreads) {
  const Activation kind = GetParam();
  const at::Tensor z = Rng(4).normal({4, 30, 31, 33}, at::kFloat) * 2;
  const ActivationTop top = draw_top(kind, z.sizes(), 1, true);
  expect_reverse(kind, z, top);
  const at::Tensor beta = at::scalar_tensor(0.8, at::kFloat);
  const ActivationDown whole = activation_reverse(kind, z, beta, top);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const ActivationDown alone = activation_reverse(kind, z, beta, top);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(alone.value, whole.value));
  EXPECT_TRUE(at::equal(alone.tangent, whole.tangent));
  if (has_beta(kind)) {
    EXPECT_TRUE(at::equal(alone.beta, whole.beta));
  }
}

TEST_P(FusedReverse, ZeroFarPointsAndStrides) {
  const Activation kind = GetParam();
  if (kind != Activation::kCRelu)  // whose slope at 0 is a matter of convention
    expect_reverse(kind, at::zeros({1, 1, 1, 5}), draw_top(kind, {1, 1, 1, 5}, 1, true));
  const at::Tensor far =
      at::tensor({-1e30F, -300.F, -40.F, -20.F, 20.F, 40.F, 300.F, 1e30F}).view({1, 1, 1, 8});
  const at::Tensor unused = has_beta(kind) ? at::scalar_tensor(1.0, at::kFloat) : at::Tensor();
  ActivationTop ones = draw_top(kind, far.sizes(), 1, true);
  const ActivationDown down = activation_reverse(kind, far, unused, ones);
  if (kind != Activation::kSin) {
    EXPECT_TRUE(down.value.isfinite().all().item<bool>());
    EXPECT_TRUE(down.tangent.isfinite().all().item<bool>());
  }
  const at::Tensor wide = Rng(5).normal({2, 3, 2, 20}, at::kFloat);
  const at::Tensor strided = wide.narrow(-1, 3, 7);
  const ActivationTop top = draw_top(kind, strided.sizes(), 2, true);
  expect_reverse(kind, strided, top);
  const ActivationTop crossed{top.value.transpose(1, 2).contiguous().transpose(1, 2), top.tangent,
                              top.t};
  expect_reverse(kind, strided.contiguous(), crossed);
}

TEST_P(FusedReverse, NotANumberStaysWhereItIsAndEmptyIsEmpty) {
  const Activation kind = GetParam();
  at::Tensor z = Rng(6).normal({1, 1, 3, 9}, at::kFloat);
  z[0][0][1][4] = NAN;
  const at::Tensor beta = at::scalar_tensor(1.0, at::kFloat);
  const ActivationDown down = activation_reverse(kind, z, beta, draw_top(kind, z.sizes(), 1, true));
  EXPECT_TRUE(down.value[0][0][1][4].isnan().item<bool>());
  EXPECT_EQ(down.value.isnan().sum().item<int64_t>(), 1);
  EXPECT_TRUE(down.tangent[0][0][0][1][4].isnan().item<bool>());
  const at::Tensor none = at::empty({0, 2, 2, 3});
  const ActivationDown empty =
      activation_reverse(kind, none, beta, draw_top(kind, none.sizes(), 1, true));
  EXPECT_EQ(empty.value.sizes(), none.sizes());
}

TEST_P(FusedReverse, SlopesAreMultipliedAndFolded) {
  const Activation kind = GetParam();
  for (const int64_t features : {1, 5, 16, 33}) {
    const at::Tensor z = Rng(7).normal({2, 3, 2, features}, at::kDouble);
    const at::Tensor slope = activation_jet_composed(kind, z, at::ones({}, at::kDouble), 1).slope;
    const at::Tensor t = Rng(8).normal({3, 2, 3, 2, features}, at::kDouble);
    const at::Tensor u = Rng(9).normal({3, 2, 3, 2, slope.size(-1)}, at::kDouble);
    for (const std::string& isa : kernels::available_isas()) {
      const kernels::ScopedIsa pin(isa);
      EXPECT_TRUE(at::allclose(slope_jvp(slope, t), slope_jvp_composed(slope, t), 1e-14, 1e-14));
      EXPECT_TRUE(at::allclose(slope_vjp(slope, u, features),
                               slope_vjp_composed(slope, u, features), 1e-14, 1e-14));
      EXPECT_TRUE(at::allclose(slope_vjp(slope, u[1], features), slope_vjp(slope, u, features)[1],
                               1e-14, 1e-14));
      const at::Tensor jvp32 = slope_jvp(slope.to(at::kFloat), t.to(at::kFloat));
      EXPECT_TRUE(at::allclose(jvp32.to(at::kDouble), slope_jvp(slope, t), 1e-6, 1e-6));
      const at::Tensor vjp32 = slope_vjp(slope.to(at::kFloat), u.to(at::kFloat), features);
      EXPECT_TRUE(at::allclose(vjp32.to(at::kDouble), slope_vjp(slope, u, features), 1e-6, 2e-6));
    }
  }
}

std::vector<Activation> elementwise() {
  std::vector<Activation> out;
  for (const auto& [name, kind] : enum_names(Activation{})) {
    if (!is_sorting(kind)) out.push_back(kind);
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Activations, FusedReverse, ::testing::ValuesIn(elementwise()),
                         [](const auto& test) {
                           for (const auto& [name, kind] : enum_names(Activation{})) {
                             if (kind == test.param) return std::string(name);
                           }
                           return std::string();
                         });

}  // namespace
}  // namespace contraflow
