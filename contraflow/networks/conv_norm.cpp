#include "contraflow/networks/conv_norm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "contraflow/core/error.h"
#include "contraflow/networks/conv_spectrum.h"
#include "contraflow/networks/epsilon.h"
#include "contraflow/networks/gram_spectrum.h"

namespace contraflow {
namespace {

int64_t frequency_of(double stored, int64_t period) {
  if (!std::isfinite(stored)) return 0;
  return std::clamp<int64_t>(std::llround(stored), 0, period - 1);
}

void write_vector(const at::Tensor& to, const at::Tensor& v) { to.copy_(at::view_as_real(v)); }

at::Tensor unit(const at::Tensor& v) {
  const double length = at::linalg_vector_norm(v).item<double>();
  return length > 0 ? v / length : v;
}

// Sums over pixels of products of a sine window, moved by two taps: [taps, taps], for a window of
// unit length.
at::Tensor window_products(const ConvFrequencies::Axis& axis) {
  const auto n = static_cast<double>(axis.pixels);
  const at::Tensor window =
      unit(at::sin((at::arange(axis.pixels, at::kDouble) + 1) * (std::numbers::pi / (n + 1))));
  const int64_t reach = (axis.taps - 1) / 2;
  const at::Tensor padded = at::constant_pad_nd(window, {reach, reach});
  const at::Tensor moved = padded.unfold(0, axis.pixels, 1);  // [taps, pixels]
  return moved.mm(moved.t());
}

// |A x| / |x| of the zero-padded convolution A at x = window * wave * v.
double windowed_gain(const ConvSpectrum& spectrum, GridPair f, const at::Tensor& v) {
  const ConvFrequencies& on = spectrum.frequencies();
  const at::Tensor images = spectrum.tap_images(f, v);
  const at::Tensor products = images.conj().t().mm(images);  // [taps, taps]
  const at::Tensor windows = at::kron(window_products(on.y()), window_products(on.x()));
  return std::sqrt(std::max(0.0, (at::real(products) * windows).sum().item<double>()));
}

// The nearest frequency of the grid of pixels itself, where the period is a multiple of it.
GridPair on_the_torus(const ConvFrequencies& on, GridPair f) {
  const auto nearest = [](int64_t k, const ConvFrequencies::Axis& axis) {
    const int64_t factor = axis.taps == 1 ? 1 : axis.period / axis.pixels;
    return (k + factor / 2) / factor * factor % axis.period;
  };
  return {nearest(f.y, on.y()), nearest(f.x, on.x())};
}

// What is certainly reached, in the scale of the spectrum.
double reached_below(const ConvSpectrum& spectrum, GridPair f, const at::Tensor& v) {
  const ConvFrequencies& on = spectrum.frequencies();
  const double gain =
      on.circular() ? at::linalg_vector_norm(spectrum.times(on_the_torus(on, f), v)).item<double>()
                    : windowed_gain(spectrum, f, v);
  const auto terms = static_cast<double>(spectrum.larger() + spectrum.smaller() + on.y().pixels +
                                         on.x().pixels + 64);
  const double error = 8 * kEpsilon * terms * spectrum.tap_sum();
  // The square of a windowed gain may cancel: its error is that of the sum of squares.
  const double square = gain * gain - error * spectrum.tap_sum();
  return std::max(0.0, std::min(gain - error, std::sqrt(std::max(0.0, square))));
}

// The pair from an eigenvector of the Gram matrix at its frequency.
void write_pair(const ConvSpectrum& spectrum, GridPair f, const at::Tensor& eigenvector,
                NormPair& pair, at::Tensor& right) {
  right = unit(spectrum.is_right() ? eigenvector
                                   : spectrum.adjoint_times(f, eigenvector.conj().resolve_conj()));
  const at::Tensor left = unit(spectrum.times(f, right));
  write_vector(pair.right, right);
  write_vector(pair.left.narrow(0, 1, left.size(0)), left);
  pair.left[0][0] = static_cast<double>(f.y);
  pair.left[0][1] = static_cast<double>(f.x);
}

NormInterval norm_of_zeros(NormPair& pair) {
  pair.left.zero_();
  pair.right.zero_();
  return {0, 0};
}

}  // namespace

NormPair empty_conv_pair(int64_t outputs, int64_t inputs) {
  return {at::zeros({outputs + 1, 2}, at::kDouble), at::zeros({inputs, 2}, at::kDouble)};
}

ConvPair read_conv_pair(const NormPair& pair, const ConvFrequencies& frequencies) {
  const at::Tensor left = pair.left.contiguous(), right = pair.right.contiguous();
  if (!(right.square().sum().item<double>() > 0)) return {};
  const auto* stored = left.const_data_ptr<double>();
  return {{frequency_of(stored[0], frequencies.y().period),
           frequency_of(stored[1], frequencies.x().period)},
          at::view_as_complex(left.narrow(0, 1, left.size(0) - 1)),
          at::view_as_complex(right)};
}

NormInterval update_conv_norm(const at::Tensor& weight, const ConvFrequencies& frequencies,
                              NormPair& pair, NormMethod method, double relative_tolerance) {
  const ConvSpectrum spectrum(weight, frequencies);
  if (std::isnan(spectrum.scale())) {
    fail<NumericsError>("conv_norm", "weight", "finite entries", "infinity or NaN",
                        "Lower the learning rate, or resume from the last checkpoint.");
  }
  if (!spectrum.usable()) return norm_of_zeros(pair);
  const GramSpectrum grams(spectrum);
  const ConvPair before = read_conv_pair(pair, frequencies);
  const bool warm = before.right.defined() && method == NormMethod::kCholesky;
  GramSpectrum::Top best =
      grams.top(warm ? frequencies.place(before.frequency) : grams.likeliest(grams.all()));
  constexpr double kLeastRaise = 1e-10;
  double bound = best.value;
  if (method == NormMethod::kCholesky)
    bound = grams.prove(best, std::max(relative_tolerance, kLeastRaise));
  if (method == NormMethod::kGram) bound = grams.gram_bound(grams.all());
  const GridPair f = frequencies.all()[static_cast<size_t>(best.place)];
  at::Tensor right;
  write_pair(spectrum, f, best.vector, pair, right);
  const double upper = spectrum.scale() * std::sqrt(bound) * (1 + 4 * kEpsilon);
  const double lower = spectrum.scale() * reached_below(spectrum, f, right);
  return {std::min(lower, upper), upper};
}

}  // namespace contraflow
