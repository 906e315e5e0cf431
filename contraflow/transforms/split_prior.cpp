#include "contraflow/transforms/split_prior.h"

#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/core/error.h"
#include "contraflow/core/registry_entry.h"
#include "contraflow/networks/feature_shift.h"

namespace contraflow {

void validate(const SplitPriorOptions& o) {
  const std::vector<int64_t>&event = o.event.sizes(), &condition = o.condition.sizes();
  if (event.size() != 3 || condition.size() != 3 || event[1] != condition[1] ||
      event[2] != condition[2]) {
    fail<ConfigError>("SplitPrior", "condition",
                      "an event and a condition [channels, height, width] of the same sides",
                      o.event.text() + " and " + o.condition.text(),
                      "Take the two parts of one image.");
  }
  if (o.kernel % 2 == 1) return;
  fail<ConfigError>("SplitPrior", "kernel", "an odd side", std::to_string(o.kernel),
                    "Use 1, 3 or 5: an even kernel has no middle.");
}

SplitPrior::SplitPrior(SplitPriorOptions options)
    : options_(checked(std::move(options), "SplitPrior")) {
  const int64_t outputs = 2 * options_.event.features(), inputs = options_.condition.features();
  const int64_t k = options_.kernel;
  weight_ = register_parameter("weight", at::zeros({outputs, inputs, k, k}));
  bias_ = register_parameter("bias", at::zeros({outputs}));
  if (options_.init_gain == 0.0) return;
  const Rng rng = Rng(static_cast<uint64_t>(options_.seed)).fork("split_prior");
  const double limit = options_.init_gain / std::sqrt(static_cast<double>(inputs * k * k));
  draw_uniform(rng, "weight", weight_, limit);
  draw_uniform(rng, "bias", bias_, limit);
}

nlohmann::ordered_json SplitPrior::spec() const { return spec_of<SplitPrior>(options_); }

std::optional<double> SplitPrior::forward_lipschitz() const {
  return std::exp(options_.most_log_scale);
}

SplitPrior::Moments SplitPrior::moments(const at::Tensor& h) const {
  const at::Tensor both = at::conv2d(h, weight_, bias_, 1, options_.kernel / 2);
  const int64_t channels = options_.event.features();
  const double most = options_.most_log_scale;
  return {both.narrow(1, 0, channels), (both.narrow(1, channels, channels) / most).tanh() * most};
}

TransformOutput SplitPrior::do_forward(const at::Tensor& x, const Context& context) const {
  const auto [mean, log_scale] = moments(context.condition);
  return {(x - mean) * log_scale.neg().exp(), log_scale.flatten(1).sum(1).neg(), {}, {}};
}

TransformOutput SplitPrior::do_inverse(const at::Tensor& z, const Context& context) const {
  const auto [mean, log_scale] = moments(context.condition);
  return {z * log_scale.exp() + mean, log_scale.flatten(1).sum(1), {}, {}};
}

}  // namespace contraflow
