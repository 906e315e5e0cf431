#include "contraflow/core/estimate.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

constexpr double kNoBound = std::numeric_limits<double>::infinity();
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// Continued fraction of the incomplete beta function (modified Lentz), for x < (a+1)/(a+b+2).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const auto guard = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1.0;
  double d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
  double result = d;
  for (int m = 1; m <= 10'000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1.0 / guard(1.0 + even * d);
    c = guard(1.0 + even / c);
    result *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1.0 / guard(1.0 + odd * d);
    c = guard(1.0 + odd / c);
    result *= d * c;
    if (std::abs(d * c - 1.0) < 1e-15) break;
  }
  return result;
}

/// Regularised incomplete beta function I_x(a, b).
double incomplete_beta(double a, double b, double x) {
  if (x <= 0.0) return 0.0;
  if (x >= 1.0) return 1.0;
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1.0) / (a + b + 2.0)) return front * beta_fraction(a, b, x) / a;
  return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

/// P(|T| > t); tails are computed, not one minus the body.
double two_sided_tail(double t, double freedom) {
  // Beyond this the normal tail is the same to 1e-9, and lgamma differences lose digits.
  constexpr double kNormal = 1e9;
  if (freedom > kNormal) return std::erfc(t / std::numbers::sqrt2);
  return incomplete_beta(0.5 * freedom, 0.5, freedom / (freedom + t * t));
}

at::Tensor on_cpu(const at::Tensor& t) { return t.detach().to(at::kCPU).contiguous(); }

// `weight(i)` of value i.
template <class T, class Weight>
Estimate mean_with_error(const T* v, int64_t n, Weight weight) {
  double sum = 0.0, weight_sum = 0.0;
  for (int64_t i = 0; i < n; ++i) {
    sum += weight(i) * static_cast<double>(v[i]);
    weight_sum += weight(i);
  }
  if (n > 0 && !(weight_sum > 0.0 && std::isfinite(weight_sum))) {
    fail<DomainError>("weighted_mean", "weight", "weights with a positive, finite sum",
                      c10::str("a sum of ", weight_sum), "Take rows of weight above 0.");
  }
  const double mean = sum / weight_sum;
  double squares = 0.0;
  for (int64_t i = 0; i < n; ++i) {
    const double part = weight(i) * (static_cast<double>(v[i]) - mean);
    squares += part * part;
  }
  const auto count = static_cast<double>(n);
  const double error = n < 2 ? kUnknown : std::sqrt(count / (count - 1.0) * squares) / weight_sum;
  return {mean, error, n};
}

}  // namespace

double student_t_quantile(double level, double degrees_of_freedom) {
  if (!(level > 0.0 && level < 1.0)) {
    fail<DomainError>("student_t_quantile", "level", "in (0, 1)", std::to_string(level),
                      "Use for example 0.95.");
  }
  if (!(degrees_of_freedom > 0.0)) return kNoBound;
  const double tail = 1.0 - level;
  double low = 0.0;
  double high = 1.0;
  while (two_sided_tail(high, degrees_of_freedom) > tail) high *= 2.0;
  for (int step = 0; step < 200 && high - low > 1e-13 * high; ++step) {
    const double middle = 0.5 * (low + high);
    (two_sided_tail(middle, degrees_of_freedom) > tail ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

Interval Estimate::interval(double level) const {
  if (count < 2) return {-kNoBound, kNoBound};
  const double reach = standard_error * student_t_quantile(level, static_cast<double>(count - 1));
  return {mean - reach, mean + reach};
}

Estimate mean_and_error(const at::Tensor& values) {
  if (!values.defined() || values.numel() == 0) {
    fail<ShapeError>("mean_and_error", "values", "at least one value", "none",
                     "Drop empty batches before the call.");
  }
  const at::NoGradGuard no_grad;
  const at::Tensor v = values.detach().flatten().to(at::kDouble);
  const auto n = static_cast<double>(v.numel());
  const double first = v[0].item<double>();
  const at::Tensor deviation = v - first;  // exactly 0 for equal values, which a mean is not
  const double shift = deviation.mean().item<double>();
  const double squares = (deviation - shift).square().sum().item<double>();
  const double error = n < 2 ? kUnknown : std::sqrt(squares / (n - 1.0) / n);
  return {first + shift, error, v.numel()};
}

// A plain loop: for a batch of some hundred rows it takes a microsecond, tensor operations some
// thirty.
Estimate weighted_mean(const at::Tensor& value_b, const at::Tensor& weight_b) {
  if (weight_b.defined() && weight_b.sizes() != value_b.sizes()) {
    fail<ShapeError>("weighted_mean", "weight", c10::str(value_b.sizes()),
                     c10::str(weight_b.sizes()), "Give one weight per value.");
  }
  const at::Tensor values = on_cpu(value_b);
  const at::Tensor weights =
      weight_b.defined() ? on_cpu(weight_b).to(at::kDouble) : at::ones({}, at::kDouble);
  const double* w = weights.const_data_ptr<double>();
  const int64_t step = weight_b.defined() ? 1 : 0;
  const auto run = [&](const auto* v) {
    return mean_with_error(v, values.numel(), [w, step](int64_t i) { return w[i * step]; });
  };
  return values.scalar_type() == at::kFloat ? run(values.const_data_ptr<float>())
                                            : run(values.const_data_ptr<double>());
}

Estimate combined(const Estimate& a, const Estimate& b) {
  if (a.count == 0) return b;
  if (b.count == 0) return a;
  const auto sum_of_squares = [](const Estimate& e) {
    const auto n = static_cast<double>(e.count);
    return e.count < 2 ? 0.0 : e.standard_error * e.standard_error * n * (n - 1.0);
  };
  const auto na = static_cast<double>(a.count);
  const auto nb = static_cast<double>(b.count);
  const double n = na + nb;
  const double gap = b.mean - a.mean;
  const double squares = sum_of_squares(a) + sum_of_squares(b) + gap * gap * na * nb / n;
  return {a.mean + gap * nb / n, std::sqrt(squares / (n - 1.0) / n), a.count + b.count};
}

Estimate paired_difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) {
    fail<ShapeError>("paired_difference", "b", c10::str(a.sizes()), c10::str(b.sizes()),
                     "Evaluate both models on the same rows.");
  }
  return mean_and_error(a.detach().to(at::kDouble) - b.detach().to(at::kDouble));
}

Estimate difference(const Estimate& a, const Estimate& b) {
  const double va = a.standard_error * a.standard_error;
  const double vb = b.standard_error * b.standard_error;
  const double variance = va + vb;
  Estimate out{a.mean - b.mean, std::sqrt(variance), a.count + b.count - 1};
  if (std::isnan(variance)) return {out.mean, kUnknown, 1};
  if (variance > 0.0) {
    const double freedom =
        variance * variance /
        (va * va / static_cast<double>(a.count - 1) + vb * vb / static_cast<double>(b.count - 1));
    out.count = static_cast<int64_t>(freedom) + 1;
  }
  return out;
}

double bits_per_dim(double nats, int64_t dims) {
  return nats / (static_cast<double>(dims) * std::numbers::ln2);
}

Estimate bits_per_dim(const Estimate& nats, int64_t dims) {
  return {bits_per_dim(nats.mean, dims), bits_per_dim(nats.standard_error, dims), nats.count};
}

}  // namespace contraflow
