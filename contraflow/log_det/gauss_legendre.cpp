#include "contraflow/log_det/gauss_legendre.h"

#include <cmath>
#include <numbers>

namespace contraflow {
namespace {

struct Legendre {
  double value;
  double slope;
};

Legendre legendre(int64_t degree, double x) {
  double before = 1.0, value = x;
  for (int64_t k = 2; k <= degree; ++k) {
    const auto n = static_cast<double>(k);
    const double next = ((2 * n - 1) * x * value - (n - 1) * before) / n;
    before = value;
    value = next;
  }
  return {value, static_cast<double>(degree) * (x * value - before) / (x * x - 1)};
}

}  // namespace

QuadratureRule gauss_legendre(int64_t count) {
  QuadratureRule rule;
  rule.nodes.resize(static_cast<size_t>(count));
  rule.weights.resize(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    const auto n = static_cast<double>(count);
    double x = -std::cos(std::numbers::pi * (static_cast<double>(i) + 0.75) / (n + 0.5));
    constexpr int kSteps = 10;  // doubles its digits at each; the start has two
    for (int step = 0; step < kSteps; ++step) {
      const Legendre p = legendre(count, x);
      x -= p.value / p.slope;
    }
    const double slope = legendre(count, x).slope;
    rule.nodes[static_cast<size_t>(i)] = (1 + x) / 2;
    rule.weights[static_cast<size_t>(i)] = 1 / ((1 - x * x) * slope * slope);
  }
  return rule;
}

}  // namespace contraflow
