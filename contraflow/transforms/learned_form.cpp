#include "contraflow/transforms/learned_form.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "contraflow/core/error.h"
#include "contraflow/transforms/lowering.h"

namespace contraflow {

LearnedForm::LearnedForm(const BlockForm& start, double kappa)
    : start_(start), most_(1 / std::sqrt(kappa)) {
  start_.learned = true;
  if (start.series_ratio(1.0) >= most_) {
    fail<ConfigError>("contractive_block", "learn_form",
                      c10::str("|B / A| and |D / C| below kappa^-1/2 = ", most_, " at the start"),
                      c10::str(start.series_ratio(1.0)),
                      "Start from a matrix further inside, or lower net.lipschitz.");
  }
  offset_ = register_parameter("offset", at::zeros({2}));
}

// By the addition theorem of tanh: an offset of 0 is the start itself, and nothing overflows.
std::array<double, 2> LearnedForm::ratios() const {
  const std::vector<double> offset = to_doubles(offset_.detach());
  const auto moved = [&](double start, double by) {
    const double u = start / most_, t = std::tanh(by);
    return std::clamp(most_ * ((u + t) / (1 + u * t)), -most_, most_);
  };
  return {moved(start_.b / start_.a, offset[0]), moved(start_.d / start_.c, offset[1])};
}

BlockForm LearnedForm::form() const {
  const auto [below, above] = ratios();
  return {start_.a, start_.a * below, start_.c, start_.c * above, true};
}

BlockForm LearnedForm::widest() const {
  return {start_.a, start_.a * most_, start_.c, start_.c * most_, true};
}

at::Tensor LearnedForm::offset_gradient(const at::Tensor& ratios) const {
  std::array<double, 2> slopes = this->ratios();
  for (double& r : slopes) r = most_ - r * r / most_;  // m (1 - tanh^2)
  return ratios * at::tensor(at::ArrayRef<double>(slopes), ratios.options());
}

}  // namespace contraflow
