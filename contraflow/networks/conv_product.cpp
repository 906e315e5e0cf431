#include "contraflow/networks/conv_product.h"

#include <ATen/ATen.h>

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

}  // namespace

at::Tensor convolve(const at::Tensor& a, const at::Tensor& weight, const at::Tensor& bias,
                    ConvPadding padding) {
  const Bordered in = bordered(a, weight.size(2), padding);
  const auto shift = bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt;
  return at::conv2d(in.input, weight, shift, /*stride=*/1, /*padding=*/in.zeros)
      .permute({0, 2, 3, 1})
      .contiguous();
}

// Where a reads u's pixel through tap d, u reaches a's pixel through tap -d.
at::Tensor convolve_transposed(const at::Tensor& u, const at::Tensor& weight, ConvPadding padding) {
  return convolve(u, weight.transpose(0, 1).flip({2, 3}), {}, padding);
}

at::Tensor convolve_weight_gradient(const at::Tensor& u, const at::Tensor& a,
                                    const at::Tensor& weight, ConvPadding padding) {
  const Bordered in = bordered(a, weight.size(2), padding);
  const std::vector<int64_t> ones{1, 1}, zeros{0, 0}, border{in.zeros, in.zeros};
  const auto gradients = at::convolution_backward(
      channels_first(u), in.input, weight, /*bias_sizes=*/std::nullopt, /*stride=*/ones, border,
      /*dilation=*/ones, /*transposed=*/false, /*output_padding=*/zeros, /*groups=*/1,
      std::array<bool, 3>{false, true, false});
  return std::get<1>(gradients).contiguous();
}

}  // namespace contraflow
