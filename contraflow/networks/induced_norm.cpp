#include "contraflow/networks/induced_norm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/vector_norm.h"

namespace contraflow {
namespace {

using Vector = std::vector<double>;

double norm_of(const Vector& v, double order) {
  return vector_norm(v.data(), static_cast<int64_t>(v.size()), order);
}

// A weight with its products, in plain loops: layers are small, and every step asks for their
// norms.
struct Matrix {
  explicit Matrix(const at::Tensor& weight)
      : values(weight.detach().to(at::kCPU, at::kDouble).contiguous()),
        rows(weight.size(0)),
        cols(weight.size(1)),
        data(values.const_data_ptr<double>()) {}

  Vector column(int64_t c) const {
    Vector out(static_cast<size_t>(rows));
    for (int64_t r = 0; r < rows; ++r) out[r] = data[r * cols + c];
    return out;
  }
  Vector row(int64_t r) const { return {data + r * cols, data + (r + 1) * cols}; }
  Vector times(const Vector& x) const {
    Vector out(static_cast<size_t>(rows), 0.0);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) out[r] += data[r * cols + c] * x[c];
    }
    return out;
  }
  Vector transposed_times(const Vector& g) const {
    Vector out(static_cast<size_t>(cols), 0.0);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) out[c] += data[r * cols + c] * g[r];
    }
    return out;
  }

  at::Tensor values;
  int64_t rows, cols;
  const double* data;
};

void check_finite_weight(const Matrix& w) {
  if (std::all_of(w.data, w.data + w.rows * w.cols, [](double v) { return std::isfinite(v); }))
    return;
  fail<NumericsError>("induced_norm", "weight", "finite entries", "NaN or infinity",
                      "Lower the learning rate, or look for bad rows in the data.");
}

// Where a norm is reached: left . W right = value.
struct Reached {
  double value = 0;
  Vector left, right;
};

Vector unit(int64_t size, int64_t at) {
  Vector out(static_cast<size_t>(size), 0.0);
  out[static_cast<size_t>(at)] = 1.0;
  return out;
}

// x with |x|_order = 1 and x . z = |z|_dual; zero for zero.
Vector dual_vector(const Vector& z, double order) {
  Vector out(z.size());
  contraflow::dual_vector(z.data(), static_cast<int64_t>(z.size()), order, out.data());
  return out;
}

Reached largest_column(const Matrix& w, double q) {
  Reached best;
  int64_t at = 0;
  for (int64_t c = 0; c < w.cols; ++c) {
    const double value = norm_of(w.column(c), q);
    if (value > best.value) {
      best.value = value;
      at = c;
    }
  }
  best.right = unit(w.cols, at);
  best.left = dual_vector(w.column(at), dual_order(q));
  return best;
}

Reached largest_row(const Matrix& w, double p) {
  Reached best;
  int64_t at = 0;
  for (int64_t r = 0; r < w.rows; ++r) {
    const double value = norm_of(w.row(r), dual_order(p));
    if (value > best.value) {
      best.value = value;
      at = r;
    }
  }
  best.left = unit(w.rows, at);
  best.right = dual_vector(w.row(at), p);
  return best;
}

// |y|_q = g . W x <= |W^T g|_p*, and the x that reaches the right side is the next: it never falls.
Reached power_iteration(const Matrix& w, Vector x, double p, double q, double tolerance) {
  constexpr int kMostSteps = 1000;
  Reached out;
  for (int step = 0; step < kMostSteps; ++step) {
    const Vector y = w.times(x);
    out.value = norm_of(y, q);
    out.left = dual_vector(y, dual_order(q));
    out.right = x;
    const Vector z = w.transposed_times(out.left);
    if (norm_of(z, dual_order(p)) <= out.value * (1.0 + tolerance)) break;
    x = dual_vector(z, p);
  }
  return out;
}

// The iteration ends at a local maximum: the best of several starts that know the matrix, all equal
// entries, unit vectors and what rows answer most to; 64 of each at most.
std::vector<Vector> cold_starts(const Matrix& w, double p) {
  constexpr int64_t kMost = 64;
  std::vector<Vector> out = {dual_vector(Vector(static_cast<size_t>(w.cols), 1.0), p)};
  const int64_t column_step = (w.cols + kMost - 1) / kMost, row_step = (w.rows + kMost - 1) / kMost;
  for (int64_t c = 0; c < w.cols; c += column_step) out.push_back(unit(w.cols, c));
  for (int64_t r = 0; r < w.rows; r += row_step) out.push_back(dual_vector(w.row(r), p));
  return out;
}

Reached estimated(const Matrix& w, const at::Tensor& warm, double p, double q, double tolerance) {
  const auto* start = warm.const_data_ptr<double>();
  Vector x(start, start + w.cols);
  const double length = norm_of(x, p);
  if (length > 0.0) {
    for (double& v : x) v /= length;  // the orders may have moved since
    return power_iteration(w, std::move(x), p, q, tolerance);
  }
  Reached best;
  for (const Vector& from : cold_starts(w, p)) {
    Reached found = power_iteration(w, from, p, q, tolerance);
    if (found.value >= best.value) best = std::move(found);
  }
  return best;
}

void store(const Vector& from, at::Tensor& to) {
  std::copy(from.begin(), from.end(), to.data_ptr<double>());
}

double entropy(const at::Tensor& vector, double order) {
  const auto* v = vector.const_data_ptr<double>();
  double sum = 0.0, total = 0.0;
  for (int64_t k = 0; k < vector.numel(); ++k) {
    const double part = std::pow(std::abs(v[k]), order);
    total += part;
    if (part > 0.0) sum -= part * std::log(part);
  }
  return total > 0.0 ? sum / total + std::log(total) : 0.0;  // of the parts over their total
}

}  // namespace

bool induced_norm_is_exact(double p, double q) {
  return p == 1.0 || std::isinf(q) || (p == 2.0 && q == 2.0);
}

NormInterval update_induced_norm(const at::Tensor& weight, at::Tensor& left, at::Tensor& right,
                                 double p, double q, NormMethod method, double relative_tolerance) {
  if (p == 2.0 && q == 2.0)
    return update_spectral_norm(weight, left, right, method, relative_tolerance);
  const Matrix w(weight);
  check_finite_weight(w);
  Reached found;
  if (p == 1.0) {
    found = largest_column(w, q);
  } else if (std::isinf(q)) {
    found = largest_row(w, p);
  } else {
    found = estimated(w, right, p, q, relative_tolerance);
  }
  store(found.left, left);
  store(found.right, right);
  if (!induced_norm_is_exact(p, q)) return {found.value, found.value};
  // A sum of n rounded powers and its root.
  const double rounding = 4 * std::numeric_limits<double>::epsilon() *
                          static_cast<double>(std::max(w.rows, w.cols) + 8);
  return {found.value * (1 - rounding), found.value * (1 + rounding)};
}

OrderSlopes log_norm_slopes(const at::Tensor& left, const at::Tensor& right, double p, double q) {
  return {entropy(right, p) / (p * p), -entropy(left, dual_order(q)) / (q * q)};
}

}  // namespace contraflow
