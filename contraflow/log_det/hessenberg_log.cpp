#include "contraflow/log_det/hessenberg_log.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace contraflow {
namespace {

// y with  (I + s H) y = e_1  by elimination with exchange of neighbouring rows. `work` is [m, m].
void solve_first_unit(const double* h, int64_t m, double s, std::vector<double>& work,
                      std::vector<double>& y) {
  work.resize(static_cast<size_t>(m * m));
  for (int64_t k = 0; k < m * m; ++k) work[k] = s * h[k];
  for (int64_t k = 0; k < m; ++k) work[k * m + k] += 1;
  y.assign(static_cast<size_t>(m), 0.0);
  y[0] = 1;
  for (int64_t k = 0; k + 1 < m; ++k) {
    double* top = &work[k * m];
    double* below = top + m;
    if (std::abs(below[k]) > std::abs(top[k])) {
      std::swap_ranges(top + k, top + m, below + k);
      std::swap(y[k], y[k + 1]);
    }
    const double factor = below[k] / top[k];
    for (int64_t c = k; c < m; ++c) below[c] -= factor * top[c];
    y[k + 1] -= factor * y[k];
  }
  for (int64_t k = m; k-- > 0;) {
    for (int64_t c = k + 1; c < m; ++c) y[k] -= work[k * m + c] * y[c];
    y[k] /= work[k * m + k];
  }
}

double rule_error(const QuadratureRule& rule, double norm) {
  double sum = 0;
  for (size_t i = 0; i < rule.nodes.size(); ++i)
    sum -= rule.weights[i] * norm / (1 - rule.nodes[i] * norm);
  return std::abs(sum - std::log1p(-norm));
}

}  // namespace

HessenbergLog::HessenbergLog(double ratio, double kappa)
    : ratio_(ratio), kappa_(std::abs(ratio) * kappa) {
  constexpr double kWanted = 1e-13;
  constexpr int64_t kFewest = 16, kMost = 256;
  for (int64_t count = kFewest;; count *= 2) {
    rule_ = gauss_legendre(count);
    rule_error_ = rule_error(rule_, kappa_);
    if (rule_error_ <= kWanted || count >= kMost) return;
  }
}

// Bound on  t^m / (|det(I + t ratio H)| (1 - t kappa))  over the cell, relative to t_i^(m-1) /
// |det| at its node: log|det| changes by at most m kappa / (1 - t kappa) per unit of t.
double HessenbergLog::cell_factor(size_t node, double begin, double end, int64_t m) const {
  const double t = rule_.nodes[node];
  const double left = (1 - begin * kappa_) / (1 - t * kappa_);
  const double right = (1 - t * kappa_) / (1 - end * kappa_);
  const double growth = std::log(std::max(left, right)) * static_cast<double>(m) +
                        std::log(end / t) * static_cast<double>(m - 1);
  return std::exp(growth) * end / (1 - end * kappa_);
}

HessenbergLog::Result HessenbergLog::evaluate(const double* h, int64_t m) const {
  std::vector<double> work, y;
  const double leaving = std::abs(h[m * m + m - 1]);
  double value = 0, integral = 0, begin = 0;
  for (size_t i = 0; i < rule_.nodes.size(); ++i) {
    solve_first_unit(h, m, rule_.nodes[i] * ratio_, work, y);
    double corner = 0;  // e_1 . H y
    for (int64_t c = 0; c < m; ++c) corner += h[c] * y[c];
    value += rule_.weights[i] * ratio_ * corner;
    const double end = std::min(1.0, begin + rule_.weights[i]);
    integral += rule_.weights[i] * std::abs(y[m - 1]) * cell_factor(i, begin, end, m);
    begin = end;
  }
  // By the residuals of the solves, or by the series beyond the power m, whichever is less.
  const double by_residual = kappa_ * std::abs(ratio_) * leaving * integral;
  const double by_series =
      2 * std::pow(kappa_, m + 1) / (static_cast<double>(m + 1) * (1 - kappa_));
  const double worst = std::isnan(by_residual) ? by_series : std::min(by_residual, by_series);
  return {value, worst + rule_error_};
}

std::vector<double> HessenbergLog::derivative(const double* h, int64_t m) const {
  std::vector<double> work, y;
  solve_first_unit(h, m, ratio_, work, y);
  for (double& entry : y) entry *= ratio_;
  return y;
}

}  // namespace contraflow
