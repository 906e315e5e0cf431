#include "contraflow/transforms/standardize.h"

#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/affine_lowering.h"
#include "contraflow/transforms/feature_statistics.h"

namespace contraflow {

Standardize::Standardize(StandardizeOptions options)
    : options_(checked(std::move(options), "Standardize")), axis_(options_.event) {
  mean_ = register_buffer("mean", at::zeros({axis_.count()}));
  scale_ = register_buffer("scale", at::ones({axis_.count()}));
  initialized_ = register_buffer("initialized", at::zeros({}));
}

nlohmann::ordered_json Standardize::spec() const { return spec_of<Standardize>(options_); }

bool Standardize::prepare_needs_data() const { return initialized_.item<double>() == 0.0; }

std::optional<double> Standardize::forward_lipschitz() const {
  return 1.0 / scale_.min().item<double>();
}

std::optional<double> Standardize::inverse_lipschitz() const { return scale_.max().item<double>(); }

TransformOutput Standardize::do_forward(const at::Tensor& x, const Context& /*context*/) const {
  return {(x - axis_.view(mean_)) / axis_.view(scale_),
          axis_.log_det(scale_.log(), x.size(0)).neg(),
          {},
          {}};
}

TransformOutput Standardize::do_inverse(const at::Tensor& z, const Context& /*context*/) const {
  return {
      z * axis_.view(scale_) + axis_.view(mean_), axis_.log_det(scale_.log(), z.size(0)), {}, {}};
}
bool Standardize::lower(TileLowering& to, const Context& /*context*/, bool inverse) const {
  const std::vector<double> mean = to_doubles(mean_);
  std::vector<double> scale = to_doubles(scale_), shift = mean;
  for (size_t k = 0; k < mean.size() && !inverse; ++k) {
    shift[k] = -mean[k] / scale[k];
    scale[k] = 1.0 / scale[k];
  }
  lower_fixed_affine(to, std::move(scale), std::move(shift));
  return true;
}

void Standardize::do_prepare(const at::Tensor& x, const Context& /*context*/) {
  if (!prepare_needs_data()) return;
  const FeatureStatistics statistics = feature_statistics("Standardize.prepare", x);
  mean_.copy_(statistics.mean);
  scale_.copy_(statistics.deviation);
  initialized_.fill_(1.0);
}

}  // namespace contraflow
