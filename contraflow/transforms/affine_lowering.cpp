#include "contraflow/transforms/affine_lowering.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include <algorithm>
#include <cmath>

namespace contraflow {
namespace {

void add_step(TileLowering& to, kernels::TileAffine affine) {
  affine.gradient_begin = to.program.gradient_size;
  affine.lipschitz = *std::max_element(affine.scale.begin(), affine.scale.end());
  to.program.gradient_size += static_cast<int64_t>(2 * affine.scale.size());
  to.program.steps.emplace_back(std::move(affine));
}

}  // namespace

void lower_fixed_affine(TileLowering& to, std::vector<double> scale, std::vector<double> shift) {
  kernels::TileAffine affine{.scale = std::move(scale), .shift = std::move(shift)};
  for (const double slope : affine.scale) affine.log_det += std::log(slope);
  add_step(to, std::move(affine));
}

// scale = e^l, shift = s e^l forward; scale = e^-l, shift = -s back. The log-determinant adds the
// sum of its weights to each l.
bool lower_trained_affine(TileLowering& to, const at::Tensor& shift_c,
                          const at::Tensor& log_scale_c, bool inverse) {
  if (log_scale_c.dtype() != to.options.dtype()) return false;
  const std::vector<double> log_scale = to_doubles(log_scale_c);
  const bool shifts = shift_c.defined();
  const std::vector<double> shift =
      shifts ? to_doubles(shift_c) : std::vector<double>(log_scale.size(), 0.0);
  const double sign = inverse ? -1.0 : 1.0;
  kernels::TileAffine affine;
  for (size_t k = 0; k < shift.size(); ++k) {
    const double scale = std::exp(sign * log_scale[k]);
    affine.scale.push_back(scale);
    affine.shift.push_back(inverse ? -shift[k] : shift[k] * scale);
    affine.log_det += sign * log_scale[k];
  }
  const size_t slot = to.parameters.size();
  if (shifts) to.parameters.push_back(shift_c);
  to.parameters.push_back(log_scale_c);
  to.tasks.push_back([slot, sign, shifts, shift, scale = affine.scale,
                      begin = to.program.gradient_size](const LoweredGradients& g) {
    AT_DISPATCH_FLOATING_TYPES(g.dtype, "lowered_affine_gradient", [&] {
      const auto* by_scale = static_cast<const scalar_t*>(g.program) + begin;
      const auto* by_shift = by_scale + scale.size();
      auto* of_shifts = shifts ? static_cast<scalar_t*>(g.slots[slot]) : nullptr;
      auto* of_scales = static_cast<scalar_t*>(g.slots[slot + (shifts ? 1 : 0)]);
      for (size_t k = 0; k < scale.size(); ++k) {
        const double a = by_scale[k], b = by_shift[k];
        const double of_scale = sign * a * scale[k] + (sign > 0 ? b * shift[k] * scale[k] : 0.0);
        of_scales[k] += static_cast<scalar_t>(of_scale + sign * g.log_det_bar);
        if (shifts) of_shifts[k] += static_cast<scalar_t>(sign > 0 ? b * scale[k] : -b);
      }
    });
  });
  add_step(to, std::move(affine));
  return true;
}

}  // namespace contraflow
