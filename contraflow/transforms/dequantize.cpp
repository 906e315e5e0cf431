#include "contraflow/transforms/dequantize.h"

#include <ATen/ATen.h>

#include <limits>

#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/feature_bounds.h"

namespace contraflow {

Dequantize::Dequantize(DequantizeOptions options)
    : options_(checked(std::move(options), "Dequantize")), axis_(options_.event) {
  const std::vector<double> levels(options_.levels.begin(), options_.levels.end());
  levels_ = per_feature("Dequantize", "levels", levels, options_.event.features());
  log_volume_ = static_cast<double>(options_.event.pixels()) * levels_.log().sum().item<double>();
}

nlohmann::ordered_json Dequantize::spec() const { return spec_of<Dequantize>(options_); }

std::optional<double> Dequantize::forward_lipschitz() const {
  return 1.0 / levels_.min().item<double>();
}

TransformOutput Dequantize::do_forward(const at::Tensor& x, const Context& context) const {
  const at::Tensor levels = axis_.view(levels_.to(x.options()));
  const at::Tensor plain = x.detach();
  check_none_bad("Dequantize.forward", plain,
                 plain.ne(plain.round()).logical_or(plain.lt(0)).logical_or(plain.ge(levels)),
                 "integers from 0 to levels - 1",
                 "Set `levels` to the largest value plus one, or round the data; rows and columns "
                 "count from 0.");
  const double epsilon = x.scalar_type() == at::kFloat ? std::numeric_limits<float>::epsilon()
                                                       : std::numeric_limits<double>::epsilon();
  const at::Tensor gap = 2.0 * epsilon * levels;  // three roundings of at most epsilon / 2 each
  const at::Tensor u = context.rng.uniform(x.sizes(), x.options().requires_grad(false));
  return {(x + at::minimum(at::maximum(u, gap), 1.0 - gap)) / levels,
          at::full({x.size(0)}, -log_volume_, plain.options()),
          {},
          {}};
}

TransformOutput Dequantize::do_inverse(const at::Tensor& z, const Context& /*context*/) const {
  const at::Tensor levels = axis_.view(levels_.to(z.options()));
  const at::Tensor x = at::minimum((z * levels).floor().clamp_min(0), levels - 1.0);
  return {x, at::full({z.size(0)}, log_volume_, z.detach().options()), {}, {}};
}

}  // namespace contraflow
