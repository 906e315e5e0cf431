#include "contraflow/bases/normal_mixture.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "contraflow/core/registry_entry.h"

namespace contraflow {

NormalMixture::NormalMixture(NormalMixtureOptions options) : options_(options) {
  check_options(options_, "NormalMixture");
  const int64_t k = options_.components;
  const Rng rng = Rng(static_cast<uint64_t>(options_.seed)).fork("normal_mixture");
  logits_ = register_parameter("logits", at::zeros({k}));
  location_ =
      register_parameter("location", options_.spread * rng.normal(batch_shape(k), at::kFloat));
  log_scale_ = register_parameter("log_scale", at::zeros(batch_shape(k)));
}

nlohmann::ordered_json NormalMixture::spec() const { return spec_of<NormalMixture>(options_); }

at::TensorOptions NormalMixture::tensor_options() const { return location_.options(); }

at::Tensor NormalMixture::do_log_prob(const at::Tensor& z) const {
  const double constant =
      0.5 * static_cast<double>(options_.event.size()) * std::log(2.0 * std::numbers::pi);
  const at::Tensor noise_bkd = (z.unsqueeze(1) - location_) * log_scale_.neg().exp();
  const at::Tensor component_bk =
      -0.5 * noise_bkd.square().flatten(2).sum(2) - log_scale_.flatten(1).sum(1) - constant;
  return at::logsumexp(component_bk + logits_.log_softmax(0), {1});
}

at::Tensor NormalMixture::do_sample(int64_t count, const Rng& rng, double temperature) const {
  const at::Tensor u = rng.fork("component").uniform({count, 1}, at::kDouble).flatten();
  const at::Tensor ends =
      logits_.detach().to(at::TensorOptions(at::kCPU).dtype(at::kDouble)).softmax(0).cumsum(0);
  // The last end may round below 1; a draw beyond it belongs to the last component.
  const at::Tensor component = at::searchsorted(ends.contiguous(), u)
                                   .clamp_max(options_.components - 1)
                                   .to(location_.device());
  const at::Tensor noise = rng.fork("noise").normal(batch_shape(count), tensor_options());
  const at::Tensor scale = log_scale_.index_select(0, component).exp();
  return location_.index_select(0, component) + temperature * scale * noise;
}

}  // namespace contraflow
