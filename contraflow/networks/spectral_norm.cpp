#include "contraflow/networks/spectral_norm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "contraflow/core/error.h"
#include "contraflow/networks/epsilon.h"
#include "contraflow/networks/lanczos.h"
#include "contraflow/networks/scaled_gram.h"
#include "contraflow/networks/small_norm.h"

namespace contraflow {
namespace {

// The full matrix as a view, for LibTorch's own algorithms.
at::Tensor gram_tensor(const ScaledGram& gram) {
  const int64_t n = gram.matrix.columns;
  return at::from_blob(gram.matrix.data, {n, n}, {gram.matrix.stride, 1}, at::kDouble);
}

// The exact top eigenvector by a symmetric eigensolver, and its Rayleigh quotient: for the first
// call and for clustered spectra.
double eigen_solve(const ScaledGram& gram) {
  const at::Tensor vectors = std::get<1>(at::linalg_eigh(gram_tensor(gram)));
  const at::Tensor top = vectors.select(1, vectors.size(1) - 1).contiguous();
  gram.set_unit(top.const_data_ptr<double>());
  double* image = gram.basis.data;
  kernels::left_multiply(gram.x, gram.matrix, image);
  return kernels::inner_product(gram.x, image, kernels::dense_padded(gram.matrix.columns));
}

// sigma <= ||G^(2^t)||_F^(1/2^(t+1)), in logarithms; slack rank^(2^-(t+1)) - 1.
double gram_upper(const ScaledGram& gram) {
  constexpr int kSquarings = 10;
  at::Tensor m = gram_tensor(gram);
  double log_norm = 0;  // log of ||G||^(2^t) is log_norm + log ||m||
  for (int t = 0; t < kSquarings; ++t) {
    const double f = m.norm().item<double>();
    m = m / f;
    log_norm = 2 * (log_norm + std::log(f));
    m = m.mm(m);
  }
  const double power = std::ldexp(1.0, kSquarings);
  const double lambda = std::exp((log_norm + std::log(m.norm().item<double>())) / power);
  const auto n = static_cast<double>(gram.tall.columns);
  // Each product's relative rounding (2 n eps in Frobenius norm) enters divided by its power.
  return lambda * (1 + 8 * kEpsilon * (n + static_cast<double>(gram.tall.rows)) * n);
}

double raised(double value, double step) { return value * (1 + step) * (1 + step); }

// Lanczos from a warm vector: its value, raised, is proven, or more steps are taken.
std::optional<double> prove_warm(const ScaledGram& gram, Lanczos& lanczos, double& top,
                                 double raise) {
  // Steps cost less than a second proof: training flattens spectra, and eight often fail.
  constexpr int64_t kFirst = 16;
  for (const int64_t steps : {kFirst, 2 * kFirst, 4 * kFirst}) {
    if (steps > kFirst && lanczos.steps() < steps / 2) break;  // the space was exhausted before
    lanczos.extend_to(steps);
    top = lanczos.top(gram.x);
    if (gram.proves(raised(top, raise))) return raised(top, raise);
  }
  return std::nullopt;
}

// The eigensolver's value, proven with growing raises.
double prove_exact(const ScaledGram& gram, double& top, double raise) {
  top = eigen_solve(gram);
  for (double step = raise; step < 0.01; step *= 2) {
    if (gram.proves(raised(top, step))) return raised(top, step);
  }
  return gram_upper(gram);
}

// The top vector without a proof, to the tolerance where few steps reach it.
double warm_top(const ScaledGram& gram, Lanczos& lanczos, double tolerance) {
  lanczos.extend_to(8);
  double top = lanczos.top(gram.x);
  for (const int64_t steps : {16, 32, 64}) {
    const double before = top;
    lanczos.extend_to(steps);
    top = lanczos.top(gram.x);
    if (top - before <= tolerance * top) break;
  }
  return top;
}

// The bounds of a Gram matrix, from the pair of an earlier one; x becomes its top vector.
NormInterval gram_bounds(const ScaledGram& gram, const double* start, NormMethod method,
                         double relative_tolerance) {
  std::optional<Lanczos> lanczos;
  if (gram.set_unit(start)) lanczos.emplace(gram.matrix, gram.basis, gram.x);
  if (method == NormMethod::kCholesky) {
    const double raise = std::max(relative_tolerance, 1e-9);
    double top = 0;
    std::optional<double> proven;
    if (lanczos) proven = prove_warm(gram, *lanczos, top, raise);
    if (!proven) proven = prove_exact(gram, top, raise);
    return gram.interval(top, *proven);
  }
  const double top = lanczos ? warm_top(gram, *lanczos, relative_tolerance) : eigen_solve(gram);
  if (method == NormMethod::kGram) return gram.interval(top, gram_upper(gram));
  const double estimate = gram.interval(top, top).lower;
  return {estimate, estimate};
}

template <class T>
NormInterval dense_norm_bounds(const T* w, int64_t rows, int64_t cols, double* left, double* right,
                               NormMethod method, double relative_tolerance) {
  const ScaledGram gram = scaled_gram(w, rows, cols);
  if (std::isnan(gram.scale)) {
    fail<NumericsError>("spectral_norm_bounds", "weight", "finite entries", "infinity or NaN",
                        "Lower the learning rate, or resume from the last checkpoint.");
  }
  if (!gram.usable()) {
    std::fill_n(left, rows, 0.0);
    std::fill_n(right, cols, 0.0);
    return {0, 0};
  }
  const NormInterval bounds =
      gram_bounds(gram, gram.is_right ? right : left, method, relative_tolerance);
  gram.write_pair(left, right);
  return bounds;
}

// Calls f(data) with float32 or float64 numbers on the CPU.
template <class F>
NormInterval with_numbers(const at::Tensor& weight, F f) {
  if (weight.scalar_type() == at::kFloat) {
    const at::Tensor w = weight.cpu().contiguous();
    return f(w.const_data_ptr<float>());
  }
  const at::Tensor w = weight.to(at::kCPU, at::kDouble).contiguous();
  return f(w.const_data_ptr<double>());
}

}  // namespace

NormBounds spectral_norm_bounds(const at::Tensor& weight, const at::Tensor& warm_right,
                                NormMethod method, double relative_tolerance) {
  const at::Tensor w = weight.detach();
  NormBounds bounds;
  bounds.left = at::zeros({w.size(0)}, at::kDouble);
  bounds.right = at::zeros({w.size(1)}, at::kDouble);
  if (warm_right.defined()) {
    bounds.right.copy_(warm_right);
    bounds.left.copy_(w.to(at::kCPU, at::kDouble).mv(bounds.right));
  }
  const NormInterval found = with_numbers(w, [&](const auto* data) {
    return dense_norm_bounds(data, w.size(0), w.size(1), bounds.left.data_ptr<double>(),
                             bounds.right.data_ptr<double>(), method, relative_tolerance);
  });
  bounds.lower = found.lower;
  bounds.upper = found.upper;
  return bounds;
}

NormInterval update_spectral_norm(const at::Tensor& weight, at::Tensor& left, at::Tensor& right,
                                  NormMethod method, double relative_tolerance) {
  const int64_t rows = weight.size(0), cols = weight.size(1);
  auto* u = left.data_ptr<double>();
  auto* v = right.data_ptr<double>();
  return with_numbers(weight.detach(), [&](const auto* data) {
    const auto small = small_norm_bounds(data, rows, cols, u, v, method, relative_tolerance);
    if (small) return *small;
    return dense_norm_bounds(data, rows, cols, u, v, method, relative_tolerance);
  });
}

}  // namespace contraflow
