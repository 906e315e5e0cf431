#include "contraflow/transforms/logit.h"

#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/core/error.h"
#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/feature_bounds.h"

namespace contraflow {

Logit::Logit(LogitOptions options)
    : options_(checked(std::move(options), "Logit")), axis_(options_.event) {
  const int64_t features = options_.event.features();
  lower_ = per_feature("Logit", "lower", options_.lower, features);
  range_ = per_feature("Logit", "upper", options_.upper, features) - lower_;
  if (range_.le(0.0).any().item<bool>()) {
    const int64_t column = range_.le(0.0).nonzero()[0].item<int64_t>();
    const double lower = lower_[column].item<double>();
    fail<ConfigError>("Logit", "upper", c10::str("> lower, ", lower, ", in column ", column),
                      c10::str(lower + range_[column].item<double>()), "Swap or widen the bounds.");
  }
}

nlohmann::ordered_json Logit::spec() const { return spec_of<Logit>(options_); }

std::optional<double> Logit::forward_lipschitz() const {
  // The slope of logit, 1 / (p (1 - p)), is largest where p is nearest to 0 or 1.
  const double a = options_.alpha;
  return (1.0 - 2.0 * a) / (a * (1.0 - a) * range_.min().item<double>());
}

std::optional<double> Logit::inverse_lipschitz() const {
  return range_.max().item<double>() / (4.0 * (1.0 - 2.0 * options_.alpha));
}

at::Tensor Logit::log_det(const at::Tensor& log_p_q) const {
  const double constant =
      static_cast<double>(options_.event.size()) * std::log1p(-2.0 * options_.alpha) -
      static_cast<double>(options_.event.pixels()) * range_.log().sum().item<double>();
  return constant - log_p_q.flatten(1).sum(1);
}

TransformOutput Logit::do_forward(const at::Tensor& x, const Context& /*context*/) const {
  const at::Tensor lower = axis_.view(lower_.to(x.options()));
  const at::Tensor upper = axis_.view((lower_ + range_).to(x.options()));
  check_none_bad("Logit.forward", x.detach(), x.detach().lt(lower).logical_or(x.detach().gt(upper)),
                 "values between `lower` and `upper`",
                 "Widen the bounds, or clamp samples that fell into the margin `alpha`; rows and "
                 "columns count from 0.");
  const at::Tensor slope = axis_.view(((1.0 - 2.0 * options_.alpha) / range_).to(x.options()));
  const at::Tensor log_p = (options_.alpha + slope * (x - lower)).log();
  const at::Tensor log_q = (options_.alpha + slope * (upper - x)).log();
  return {log_p - log_q, log_det(log_p + log_q), {}, {}};
}

TransformOutput Logit::do_inverse(const at::Tensor& z, const Context& /*context*/) const {
  const at::Tensor lower = axis_.view(lower_.to(z.options()));
  const at::Tensor width = axis_.view((range_ / (1.0 - 2.0 * options_.alpha)).to(z.options()));
  const at::Tensor x = lower + width * (at::sigmoid(z) - options_.alpha);
  // log p = -softplus(-z) and log(1 - p) = -softplus(z): finite for every z.
  const at::Tensor log_p_q = at::softplus(z).add(at::softplus(z.neg())).neg();
  return {x, log_det(log_p_q).neg(), {}, {}};
}

}  // namespace contraflow
