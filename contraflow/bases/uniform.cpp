#include "contraflow/bases/uniform.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "contraflow/core/error.h"
#include "contraflow/core/registry_entry.h"

namespace contraflow {

void validate(const UniformOptions& options) {
  if (options.upper > options.lower) return;
  fail<ConfigError>("Uniform", "upper", c10::str("> lower, ", options.lower),
                    c10::str(options.upper), "Swap or widen the bounds.");
}

Uniform::Uniform(UniformOptions options) : options_(options) {
  check_options(options_, "Uniform");
  anchor_ = register_buffer("anchor", at::zeros({}));
}

nlohmann::ordered_json Uniform::spec() const { return spec_of<Uniform>(options_); }

at::TensorOptions Uniform::tensor_options() const { return anchor_.options(); }

at::Tensor Uniform::do_log_prob(const at::Tensor& z) const {
  const at::Tensor inside =
      z.ge(options_.lower).logical_and(z.le(options_.upper)).flatten(1).all(1);
  const double value =
      -static_cast<double>(options_.event.size()) * std::log(options_.upper - options_.lower);
  // Zero times z keeps log_prob in the graph of z: a flow of this base alone can be trained.
  const at::Tensor log_density = value + 0.0 * z.flatten(1).sum(1);
  return log_density.masked_fill(inside.logical_not(), -std::numeric_limits<double>::infinity());
}

at::Tensor Uniform::do_sample(int64_t count, const Rng& rng, double temperature) const {
  const at::Tensor u = rng.uniform(batch_shape(count), tensor_options());
  const double width = options_.upper - options_.lower;
  const at::Tensor z = options_.lower + width * (0.5 + temperature * (u - 0.5));
  // Rounding may reach past the ends; at temperature 1 every draw has a finite log_prob.
  return temperature <= 1.0 ? z.clamp(options_.lower, options_.upper) : z;
}

}  // namespace contraflow
