// The host's own matrix product against sums of float64, at awkward sizes and strides.
#include "contraflow/kernels/matrix_product.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "contraflow/core/rng.h"
#include "contraflow/kernels/isa.h"

namespace contraflow::kernels {
namespace {

template <class T>
MatrixView<T> matrix_view(const at::Tensor& t) {
  return {t.const_data_ptr<T>(), t.stride(0), t.stride(1)};
}

// out (+)= a b, with `out` maybe a part of wider rows.
void multiply_into(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out,
                   const at::Tensor& bias = {}, bool add = false) {
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "test", [&] {
    MatrixProduct<scalar_t> call;
    call.rows = a.size(0);
    call.depth = a.size(1);
    call.columns = b.size(1);
    call.a = matrix_view<scalar_t>(a);
    call.b = matrix_view<scalar_t>(b);
    call.out = out.data_ptr<scalar_t>();
    call.out_stride = out.stride(0);
    if (bias.defined()) call.bias = bias.const_data_ptr<scalar_t>();
    call.add = add;
    multiply(call);
  });
}

at::Tensor numbers(uint64_t seed, at::IntArrayRef sizes, at::ScalarType dtype) {
  return Rng(seed).normal(sizes, at::kDouble).to(dtype);
}

struct Sizes {
  int64_t rows, columns, depth;
};
// Around the blocks of rows (4, 8), the panels (12 to 48 columns), the pieces (128 to 512 deep) and
// the tiles of 64 rows; the last has more than one chunk of the depth.
constexpr Sizes kSizes[] = {{1, 1, 1},    {3, 5, 2},      {4, 24, 7},    {7, 23, 300},
                            {9, 49, 129}, {65, 36, 64},   {64, 100, 36}, {130, 97, 70},
                            {5, 3, 513},  {66, 512, 2100}};

void expect_product(const Sizes& s, at::ScalarType dtype, bool a_transposed, bool b_transposed) {
  SCOPED_TRACE(::testing::Message() << s.rows << " x " << s.depth << " x " << s.columns << " "
                                    << a_transposed << b_transposed);
  const at::Tensor a = a_transposed ? numbers(1, {s.depth, s.rows}, dtype).t()
                                    : numbers(1, {s.rows, s.depth}, dtype);
  const at::Tensor b = b_transposed ? numbers(2, {s.columns, s.depth}, dtype).t()
                                    : numbers(2, {s.depth, s.columns}, dtype);
  const at::Tensor bias = numbers(3, {s.columns}, dtype);
  const at::Tensor exact = a.to(at::kDouble).mm(b.to(at::kDouble));
  // The header's bound, and one rounding for the bias.
  const double unit = dtype == at::kDouble ? 0x1p-53 : 0x1p-24;
  const at::Tensor bound = (a.to(at::kDouble).abs().mm(b.to(at::kDouble).abs()) + 10) *
                           (unit * static_cast<double>(s.depth + 2));
  const auto expect_within = [&](const at::Tensor& got, const at::Tensor& want) {
    EXPECT_TRUE(((got.to(at::kDouble) - want).abs() <= bound).all().item<bool>());
  };
  const at::Tensor wide = at::full({s.rows, s.columns + 3}, 7.0, a.options());
  const at::Tensor out = wide.narrow(1, 1, s.columns);
  multiply_into(a, b, out);
  expect_within(out, exact);
  multiply_into(a, b, out, bias);
  expect_within(out, exact + bias.to(at::kDouble));
  out.copy_(bias.expand_as(out));
  multiply_into(a, b, out, {}, /*add=*/true);
  expect_within(out, exact + bias.to(at::kDouble));
  EXPECT_TRUE((wide.select(1, 0) == 7.0).all().item<bool>());
  EXPECT_TRUE((wide.narrow(1, s.columns + 1, 2) == 7.0).all().item<bool>());
}

TEST(MatrixProduct, IsTheSumOfProductsWithinItsBound) {
  for (const std::string& isa : available_isas()) {
    SCOPED_TRACE(isa);
    const ScopedIsa pin(isa);
    for (const Sizes& s : kSizes) {
      if (isa == "scalar" && s.rows * s.columns * s.depth > 2'000'000) continue;  // slow, as small
      for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
        for (const bool a_transposed : {false, true}) {
          for (const bool b_transposed : {false, true})
            expect_product(s, dtype, a_transposed, b_transposed);
        }
      }
    }
  }
}

TEST(MatrixProduct, NothingIsWrittenForNoRowsAndZerosForNoDepth) {
  const at::Tensor a = at::ones({0, 3}), b = at::ones({3, 2}), out = at::full({1, 2}, 5.0);
  multiply_into(a, b, out.narrow(0, 0, 0));
  EXPECT_TRUE((out == 5.0).all().item<bool>());
  const at::Tensor bias = at::full({2}, 2.0);
  multiply_into(at::ones({1, 0}), at::ones({0, 2}), out);
  EXPECT_TRUE((out == 0.0).all().item<bool>());
  multiply_into(at::ones({1, 0}), at::ones({0, 2}), out, bias);
  EXPECT_TRUE((out == 2.0).all().item<bool>());
}

TEST(MatrixProduct, ARowDependsNeitherOnOthersNorOnThreads) {
  const at::Tensor a = numbers(1, {300, 600}, at::kFloat), b = numbers(2, {600, 70}, at::kFloat);
  const at::Tensor whole = at::empty({300, 70}), part = at::empty({5, 70});
  multiply_into(a, b, whole);
  multiply_into(a.narrow(0, 201, 5), b, part);
  EXPECT_TRUE(at::equal(part, whole.narrow(0, 201, 5)));
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor alone = at::empty({300, 70});
  multiply_into(a, b, alone);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(alone, whole));
}

TEST(MatrixProduct, NotANumberAndInfinityComeThrough) {
  for (const double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    at::Tensor a = at::ones({6, 30});
    a[3][29] = bad;
    const at::Tensor out = at::empty({6, 5});
    multiply_into(a, at::zeros({30, 5}), out);
    EXPECT_TRUE(out[3].isnan().all().item<bool>());  // inf * 0 too
    EXPECT_TRUE((out[2] == 0).all().item<bool>());
    EXPECT_TRUE((out[4] == 0).all().item<bool>());
  }
}

}  // namespace
}  // namespace contraflow::kernels
