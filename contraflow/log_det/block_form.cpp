#include "contraflow/log_det/block_form.h"

#include <limits>

namespace contraflow {

// |y - y'| <= (|C| + |D| kappa) |w - w'| and |x - x'| >= (|A| - |B| kappa) |w - w'|. For the
// papers' three forms the ratio is reached by linear maps: 1 + kappa, 1/(1 - kappa), (1 + kappa)/(1
// - kappa).
double BlockForm::lipschitz(double kappa) const {
  const double below = std::abs(a) - std::abs(b) * kappa;
  if (below <= 0) return std::numeric_limits<double>::infinity();
  return (std::abs(c) + std::abs(d) * kappa) / below;
}

double series_coefficient(const BlockForm& form, int power) {
  const double sign = power % 2 == 1 ? 1.0 : -1.0;
  return sign / power * (std::pow(form.d / form.c, power) - std::pow(form.b / form.a, power));
}

}  // namespace contraflow
