#include "contraflow/log_det/block_form.h"

#include <limits>

namespace contraflow {

// |y - y'| <= (|C| + |D| kappa) |w - w'| and |x - x'| >= (|A| - |B| kappa) |w - w'|. For the
// papers' three forms linear maps reach the ratio:  1 + kappa,  1 / (1 - kappa),  and
// (1 + kappa) / (1 - kappa).
double BlockForm::lipschitz(double kappa) const {
  const double below = std::abs(a) - std::abs(b) * kappa;
  if (below <= 0) return std::numeric_limits<double>::infinity();
  return (std::abs(c) + std::abs(d) * kappa) / below;
}

double series_coefficient(const BlockForm& form, int power) {
  const double sign = power % 2 == 1 ? 1.0 : -1.0;
  return sign / power * (std::pow(form.d / form.c, power) - std::pow(form.b / form.a, power));
}

std::array<double, 2> series_slopes(const BlockForm& form, int power) {
  const double sign = power % 2 == 1 ? 1.0 : -1.0;
  return {-sign * std::pow(form.b / form.a, power - 1),
          sign * std::pow(form.d / form.c, power - 1)};
}

int power_of_term(const BlockForm& form, int64_t term) {
  const bool odd_only = !form.learned && form.d * form.a == -form.b * form.c;
  return static_cast<int>(odd_only ? 2 * term - 1 : term);
}

double term_ratio(const BlockForm& form, double norm) {
  return std::pow(form.series_ratio(norm), power_of_term(form, 2) - power_of_term(form, 1));
}

double admissible_shift(const BlockForm& form, double kappa, double wanted) {
  const double limit = (1 + form.series_ratio(kappa)) / 2;
  const auto good = [&](double c) {
    const BlockForm shifted = form.shifted(c);
    // A factor that passed through 0 is as far beyond the singular shift as it was before it.
    if (shifted.a * form.a <= 0 || shifted.c * form.c <= 0) return false;
    return shifted.series_ratio(kappa + std::abs(c)) <= limit;
  };
  if (!std::isfinite(wanted)) return 0;
  if (good(wanted)) return wanted;
  constexpr int kHalvings = 40;
  double low = 0, high = 1;  // fractions of `wanted`: the first is good, the second is not
  for (int k = 0; k < kHalvings; ++k) {
    const double middle = (low + high) / 2;
    (good(middle * wanted) ? low : high) = middle;
  }
  return low * wanted;
}

}  // namespace contraflow
