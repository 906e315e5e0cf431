#include "contraflow/bases/logistic.h"

#include <ATen/ATen.h>

#include "contraflow/core/registry_entry.h"

namespace contraflow {

Logistic::Logistic(LogisticOptions options) : options_(options) {
  check_options(options_, "Logistic");
  anchor_ = register_buffer("anchor", at::zeros({}));
}

nlohmann::ordered_json Logistic::spec() const { return spec_of<Logistic>(options_); }

at::TensorOptions Logistic::tensor_options() const { return anchor_.options(); }

at::Tensor Logistic::do_log_prob(const at::Tensor& z) const {
  // log sigmoid(z) + log sigmoid(-z): smooth at 0, where |z| would have no gradient.
  return at::log_sigmoid(z).add(at::log_sigmoid(z.neg())).flatten(1).sum(1);
}

at::Tensor Logistic::do_sample(int64_t count, const Rng& rng, double temperature) const {
  // Drawn in float64: float32 uniforms would cut the upper tail at logit(1 - 2^-24).
  const at::Tensor u = rng.uniform(batch_shape(count), tensor_options().dtype(at::kDouble));
  return (temperature * (u.log() - u.neg().log1p())).to(tensor_options());
}

}  // namespace contraflow
