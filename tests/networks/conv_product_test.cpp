// Products of convolutions by gathered taps against LibTorch's convolution, the definition.
#include "contraflow/networks/conv_product.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/core/rng.h"
#include "contraflow/kernels/isa.h"
#include "contraflow/networks/conv_taps.h"
#include "contraflow/networks/product.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::near;

struct ProductCase {
  int64_t events, height, width, inputs, outputs, kernel;
};
// The last two have more events than are gathered at a time.
constexpr ProductCase kProductCases[] = {
    {3, 4, 5, 2, 7, 3}, {2, 5, 4, 7, 2, 3}, {2, 3, 3, 4, 4, 5},     {4, 1, 6, 3, 5, 3},
    {2, 2, 3, 3, 2, 5}, {3, 4, 4, 6, 5, 1}, {4, 26, 29, 44, 50, 3}, {4, 29, 26, 50, 44, 3}};

at::Tensor entries(uint64_t seed, at::IntArrayRef sizes) {
  return Rng(seed).normal(sizes, at::kDouble);
}

void expect_products(const ProductCase& c, ConvPadding padding) {
  const at::Tensor a = entries(1, {c.events, c.height, c.width, c.inputs});
  const at::Tensor u = entries(2, {c.events, c.height, c.width, c.outputs});
  const at::Tensor weight = entries(3, {c.outputs, c.inputs, c.kernel, c.kernel});
  const at::Tensor bias = entries(4, {c.outputs});
  at::Tensor value, shifted, back, gradient;
  {
    const kernels::ScopedIsa pin("composed");
    ASSERT_FALSE(has_own_product(a));
    value = convolve(a, weight, {}, padding);
    shifted = convolve(a, weight, bias, padding);
    back = convolve_transposed(u, weight, padding);
    gradient = convolve_weight_gradient(u, a, weight, padding);
  }
  ASSERT_TRUE(has_own_product(a));
  constexpr double kError = 1e-11;  // of sums of up to 3,000 products of normal numbers
  EXPECT_TRUE(near(convolve(a, weight, {}, padding), value, kError));
  EXPECT_TRUE(near(convolve(a, weight, bias, padding), shifted, kError));
  EXPECT_TRUE(near(convolve_transposed(u, weight, padding), back, kError));
  EXPECT_TRUE(near(convolve_weight_gradient(u, a, weight, padding), gradient, kError));
  // As a part of a batch, and with other strides.
  EXPECT_TRUE(at::equal(convolve(a.narrow(0, 1, 1), weight, bias, padding),
                        convolve(a, weight, bias, padding).narrow(0, 1, 1)));
  const at::Tensor crossed = a.transpose(1, 2).contiguous().transpose(1, 2);
  EXPECT_TRUE(
      at::equal(convolve(crossed, weight, bias, padding), convolve(a, weight, bias, padding)));
  const at::Tensor value32 = convolve(a.to(at::kFloat), weight.to(at::kFloat), {}, padding);
  EXPECT_TRUE(near(value32, value, 1e-4));
}

TEST(ConvProduct, GatheredAndScatteredTapsAreTheConvolution) {
  for (const ProductCase& c : kProductCases) {
    SCOPED_TRACE(::testing::Message() << c.inputs << " to " << c.outputs << ", " << c.kernel);
    expect_products(c, ConvPadding::kZero);
    expect_products(c, ConvPadding::kCircular);
  }
}

TEST(ConvProduct, NoEventsGiveNoneAndAGradientOfZero) {
  const at::Tensor weight = entries(3, {2, 3, 3, 3}), none = at::empty({0, 4, 4, 3}, at::kDouble);
  EXPECT_EQ(convolve(none, weight, {}, ConvPadding::kZero).sizes(), at::IntArrayRef({0, 4, 4, 2}));
  const at::Tensor gradient = convolve_weight_gradient(at::empty({0, 4, 4, 2}, at::kDouble), none,
                                                       weight, ConvPadding::kZero);
  EXPECT_EQ(gradient.sizes(), weight.sizes());
  EXPECT_EQ(gradient.abs().sum().item<double>(), 0.0);
}

TEST(ConvTaps, ScatterIsTheTransposeOfGather) {
  for (const ConvPadding padding : {ConvPadding::kZero, ConvPadding::kCircular}) {
    const at::Tensor a = entries(5, {2, 3, 4, 3});
    const at::Tensor taps = gather_taps(a, 3, padding);
    ASSERT_EQ(taps.sizes(), at::IntArrayRef({24, 27}));
    const at::Tensor other = entries(6, taps.sizes()), sum = at::zeros_like(a);
    scatter_taps(other, 3, padding, sum);
    EXPECT_NEAR((taps * other).sum().item<double>(), (a * sum).sum().item<double>(), 1e-12);
    EXPECT_TRUE(at::equal(taps.view({2, 3, 4, 9, 3}).select(3, 4), a));  // the middle one
  }
}

TEST(Product, IsLibTorchsWithAndWithoutABias) {
  const at::Tensor a = entries(7, {70, 33}), b = entries(8, {33, 20}), bias = entries(9, {20});
  EXPECT_TRUE(near(product(a, b), a.mm(b), 1e-12));
  EXPECT_TRUE(near(product(a, b, bias), at::addmm(bias, a, b), 1e-12));
  const at::Tensor spread = a.repeat_interleave(2, 1).slice(1, 0, 66, 2);  // no stride of 1
  EXPECT_TRUE(at::equal(product(spread, b), product(a, b)));
  at::Tensor sum;
  add_product(a, b, sum);
  add_product(a, b, sum);
  EXPECT_TRUE(near(sum, 2 * a.mm(b), 1e-12));
  const kernels::ScopedIsa pin("composed");
  add_product(a, b, sum);
  EXPECT_TRUE(near(sum, 3 * a.mm(b), 1e-12));
}

}  // namespace
}  // namespace contraflow
