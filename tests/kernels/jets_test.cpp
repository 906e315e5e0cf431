// The fused activations of the host against their definition: every instruction set, awkward sizes.
#include "contraflow/kernels/jets.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/kernels/isa.h"

namespace contraflow::kernels {
namespace {

struct Case {
  at::ScalarType dtype;
  double relative;
};
// Values: a few units in the last place. Near its zeros a slope of pila is what cancellation leaves.
constexpr Case kCases[] = {{at::kDouble, 1e-13}, {at::kFloat, 4e-6}};

at::Tensor points(at::IntArrayRef sizes, at::ScalarType dtype) {
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  // Odd multiples of a step keep clear of the kinks, where a slope is a matter of convention.
  return at::linspace(-9.03, 9.01, count, at::kDouble).to(dtype).reshape(sizes);
}

void expect_close(const at::Tensor& got, const at::Tensor& want, double relative) {
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_TRUE(at::allclose(got, want, relative, relative, /*equal_nan=*/true));
}

void expect_fused(const at::Tensor& z, double relative) {
  const at::Tensor beta = at::scalar_tensor(1.3, z.options());
  for (const auto& [name, kind] : enum_names(Activation{})) {
    if (is_sorting(kind)) continue;
    SCOPED_TRACE(name);
    const ActivationJet want = activation_jet_composed(kind, z, beta, 2);
    for (const std::string& isa : available_isas()) {
      const ScopedIsa pin(isa);
      for (const int order : {0, 1, 2}) {
        const ActivationJet got = activation_jet(kind, z, beta, order);
        expect_close(got.value, want.value, relative);
        EXPECT_EQ(got.slope.defined(), order >= 1);
        EXPECT_EQ(got.curvature.defined(), order >= 2);
        if (order >= 1) expect_close(got.slope, want.slope, relative);
        if (order >= 2) expect_close(got.curvature, want.curvature, relative);
      }
    }
  }
}

TEST(FusedJets, AreThoseOfTheDefinitionAtEveryLength) {
  for (const Case& c : kCases) {
    for (const int64_t features : {1, 2, 3, 7, 16, 33, 300}) {
      SCOPED_TRACE(features);
      expect_fused(points({5, features}, c.dtype), c.relative);
    }
    expect_fused(points({2, 3, 5}, c.dtype), c.relative);  // probes, or pixels
  }
}

TEST(FusedJets, FarPointsAreFinite) {
  for (const Case& c : kCases)
    expect_fused(at::tensor({-1e30, -300.0, -40.0, 0.0, 40.0, 300.0, 1e30}, at::kDouble)
                     .to(c.dtype)
                     .reshape({1, 7}),
                 c.relative);
}

TEST(FusedJets, NotANumberComesThrough) {
  const at::Tensor z = at::full({2, 3}, NAN, at::kFloat), beta = at::ones({});
  for (const auto& [name, kind] : enum_names(Activation{})) {
    if (is_sorting(kind)) continue;
    EXPECT_TRUE(activation_jet(kind, z, beta, 0).value.isnan().all().item<bool>()) << name;
  }
}

TEST(FusedJets, StridedRowsAndThreadsDoNotMatter) {
  const at::Tensor z = points({700, 90}, at::kFloat), beta = at::ones({});
  const ActivationJet whole = activation_jet(Activation::kClipSwish, z, beta, 1);
  const ActivationJet part = activation_jet(Activation::kClipSwish, z.narrow(1, 20, 30), beta, 1);
  EXPECT_TRUE(at::equal(part.value.narrow(1, 0, 30), whole.value.narrow(1, 20, 30)));
  EXPECT_TRUE(at::equal(part.slope.narrow(1, 30, 30), whole.slope.narrow(1, 110, 30)));
}

TEST(FusedJets, WhereAutogradBuildsAGraphTheDefinitionRuns) {
  const at::Tensor z = points({4, 3}, at::kDouble).requires_grad_(true);
  EXPECT_TRUE(activation_jet(Activation::kElu, z, {}, 0).value.requires_grad());
}

}  // namespace
}  // namespace contraflow::kernels
