#include "contraflow/transforms/squeeze.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"
#include "contraflow/core/registry_entry.h"

namespace contraflow {

void validate(const SqueezeOptions& options) {
  const std::vector<int64_t>& sizes = options.event.sizes();
  const int64_t f = options.factor;
  if (sizes.size() == 3 && sizes[1] % f == 0 && sizes[2] % f == 0) return;
  fail<ConfigError>("Squeeze", "event",
                    c10::str("[channels, height, width] with sides that ", f, " divides"),
                    options.event.text(), "Pad the images, or squeeze less often.");
}

Squeeze::Squeeze(SqueezeOptions options) : options_(checked(std::move(options), "Squeeze")) {}

std::vector<int64_t> Squeeze::latent_shape() const {
  const std::vector<int64_t>& sizes = options_.event.sizes();
  const int64_t f = options_.factor;
  return {sizes[0] * f * f, sizes[1] / f, sizes[2] / f};
}

nlohmann::ordered_json Squeeze::spec() const { return spec_of<Squeeze>(options_); }

TransformOutput Squeeze::do_forward(const at::Tensor& x, const Context& /*context*/) const {
  const int64_t batch = x.size(0), f = options_.factor;
  const std::vector<int64_t> latent = latent_shape();
  const at::Tensor z = x.reshape({batch, x.size(1), latent[1], f, latent[2], f})
                           .permute({0, 1, 3, 5, 2, 4})
                           .reshape({batch, latent[0], latent[1], latent[2]});
  return {z, at::zeros({batch}, x.detach().options()), {}, {}};
}

TransformOutput Squeeze::do_inverse(const at::Tensor& z, const Context& /*context*/) const {
  const int64_t batch = z.size(0), f = options_.factor;
  const std::vector<int64_t>& event = options_.event.sizes();
  const at::Tensor x = z.reshape({batch, event[0], f, f, event[1] / f, event[2] / f})
                           .permute({0, 1, 4, 2, 5, 3})
                           .reshape({batch, event[0], event[1], event[2]});
  return {x, at::zeros({batch}, z.detach().options()), {}, {}};
}

}  // namespace contraflow
