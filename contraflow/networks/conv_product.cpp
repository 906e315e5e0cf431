#include "contraflow/networks/conv_product.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/networks/conv_taps.h"
#include "contraflow/networks/product.h"
#include "contraflow/networks/reduced_product.h"

namespace contraflow {
namespace {

// The input of a convolution and the zeros that LibTorch has to add on each side.
struct Bordered {
  at::Tensor input;  // [n, i, height, width], channels last
  int64_t zeros;
};

// The grid and `reach` pixels more on each side, which come from the opposite one.
at::Tensor wrapped(const at::Tensor& a, int64_t reach) {
  const auto along = [&](const at::Tensor& t, int64_t axis) {
    const at::Tensor from =
        at::arange(-reach, t.size(axis) + reach, at::TensorOptions(at::kLong).device(t.device()));
    return t.index_select(axis, from.remainder(t.size(axis)));
  };
  return along(along(a, 1), 2);
}

at::Tensor channels_first(const at::Tensor& t) { return t.permute({0, 3, 1, 2}); }

Bordered bordered(const at::Tensor& a, int64_t kernel, ConvPadding padding) {
  const int64_t reach = (kernel - 1) / 2;
  if (padding == ConvPadding::kZero) return {channels_first(a), reach};
  return {channels_first(reach == 0 ? a : wrapped(a, reach)), 0};
}

at::Tensor convolve_composed(const at::Tensor& a, const at::Tensor& weight, const at::Tensor& bias,
                             ConvPadding padding) {
  const Bordered in = bordered(a, weight.size(2), padding);
  const auto shift = bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt;
  return at::conv2d(in.input, weight, shift, /*stride=*/1, /*padding=*/in.zeros)
      .permute({0, 2, 3, 1})
      .contiguous();
}

at::Tensor convolve_composed(const at::Tensor& a, const at::Tensor& weight, const at::Tensor& bias,
                             ConvPadding padding, ProductType type) {
  if (type == ProductType::kWorking) return convolve_composed(a, weight, bias, padding);
  const at::Tensor out =
      in_products_of(type, a, weight, [padding](const at::Tensor& left, const at::Tensor& right) {
        return convolve_composed(left, right, {}, padding);
      });
  return bias.defined() ? out + bias : out;
}

at::Tensor weight_gradient_composed(const at::Tensor& u, const at::Tensor& a,
                                    const at::Tensor& weight, ConvPadding padding) {
  const Bordered in = bordered(a, weight.size(2), padding);
  const std::vector<int64_t> ones{1, 1}, zeros{0, 0}, border{in.zeros, in.zeros};
  const auto gradients = at::convolution_backward(
      channels_first(u), in.input, weight, /*bias_sizes=*/std::nullopt, /*stride=*/ones, border,
      /*dilation=*/ones, /*transposed=*/false, /*output_padding=*/zeros, /*groups=*/1,
      std::array<bool, 3>{false, true, false});
  return std::get<1>(gradients).contiguous();
}

at::Tensor pixels_of(const at::Tensor& t) { return t.reshape({-1, t.size(-1)}); }

// Calls `body(first, count)` for the events, as many at a time as keep `numbers` for each within
// 4 MB in float32.
template <class Body>
void for_some_events(int64_t events, int64_t numbers, const Body& body) {
  constexpr int64_t kMostNumbers = int64_t{1} << 20;
  const int64_t most = std::max<int64_t>(1, kMostNumbers / std::max<int64_t>(1, numbers));
  for (int64_t n = 0; n < events; n += most) body(n, std::min(most, events - n));
}

// Few channels in: z = taps(a) W^T.
void convolve_gathered(const at::Tensor& a, const at::Tensor& weight, const at::Tensor& bias,
                       ConvPadding padding, const at::Tensor& out, ProductType type) {
  const int64_t kernel = weight.size(2);
  const at::Tensor by_tap = weight.permute({0, 2, 3, 1}).reshape({weight.size(0), -1}).t();
  for_some_events(a.size(0), a[0].numel() * kernel * kernel, [&](int64_t first, int64_t count) {
    const at::Tensor taps = gather_taps(a.narrow(0, first, count), kernel, padding);
    product_into(taps, by_tap, bias, pixels_of(out.narrow(0, first, count)), type);
  });
}

// Few channels out: each pixel's share in those around it. What z reads through tap d comes from a
// pixel that z lies at -d of.
void convolve_scattered(const at::Tensor& a, const at::Tensor& weight, const at::Tensor& bias,
                        ConvPadding padding, const at::Tensor& out, ProductType type) {
  const int64_t kernel = weight.size(2);
  const at::Tensor by_tap = weight.flip({2, 3}).permute({1, 2, 3, 0}).reshape({weight.size(1), -1});
  if (bias.defined()) {
    out.copy_(bias.expand_as(out));
  } else {
    out.zero_();
  }
  for_some_events(a.size(0), out[0].numel() * kernel * kernel, [&](int64_t first, int64_t count) {
    const at::Tensor taps = product(pixels_of(a.narrow(0, first, count)), by_tap, {}, type);
    scatter_taps(taps, kernel, padding, out.narrow(0, first, count));
  });
}

// [o, i, k, k], from the taps of the side with fewer channels.
at::Tensor weight_gradient_of_taps(const at::Tensor& u, const at::Tensor& a,
                                   const at::Tensor& weight, ConvPadding padding,
                                   ProductType type) {
  const int64_t kernel = weight.size(2);
  const bool of_inputs = weight.size(1) <= weight.size(0);
  const at::Tensor few = of_inputs ? a : u, many = of_inputs ? u : a;
  at::Tensor sum;  // [many, k k few]
  for_some_events(a.size(0), few[0].numel() * kernel * kernel, [&](int64_t first, int64_t count) {
    const at::Tensor taps = gather_taps(few.narrow(0, first, count), kernel, padding);
    add_product(pixels_of(many.narrow(0, first, count)).t(), taps, sum, type);
  });
  const at::Tensor by_tap = sum.view({many.size(-1), kernel, kernel, few.size(-1)});
  return (of_inputs ? by_tap.permute({0, 3, 1, 2}) : by_tap.flip({1, 2}).permute({3, 0, 1, 2}))
      .contiguous();
}

}  // namespace

at::Tensor convolve(const at::Tensor& a, const at::Tensor& weight, const at::Tensor& bias,
                    ConvPadding padding, ProductType type) {
  if (!has_own_product(a) || a.numel() == 0)
    return convolve_composed(a, weight, bias, padding, type);
  const at::Tensor in = a.contiguous();
  const at::Tensor out = at::empty({a.size(0), a.size(1), a.size(2), weight.size(0)}, a.options());
  if (weight.size(1) <= weight.size(0)) {
    convolve_gathered(in, weight, bias, padding, out, type);
  } else {
    convolve_scattered(in, weight, bias, padding, out, type);
  }
  return out;
}

// Where a reads u's pixel through tap d, u reaches a's pixel through tap -d.
at::Tensor convolve_transposed(const at::Tensor& u, const at::Tensor& weight, ConvPadding padding,
                               ProductType type) {
  return convolve(u, weight.transpose(0, 1).flip({2, 3}), {}, padding, type);
}

at::Tensor convolve_weight_gradient(const at::Tensor& u, const at::Tensor& a,
                                    const at::Tensor& weight, ConvPadding padding,
                                    ProductType type) {
  if (has_own_product(a) && a.numel() > 0)
    return weight_gradient_of_taps(u.contiguous(), a.contiguous(), weight, padding, type);
  return in_products_of(
      type, u, a, [&weight, padding](const at::Tensor& left, const at::Tensor& right) {
        return weight_gradient_composed(left, right, weight.to(left.scalar_type()), padding);
      });
}

}  // namespace contraflow
