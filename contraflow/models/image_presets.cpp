#include "contraflow/core/error.h"
#include "contraflow/models/image_flow.h"

namespace contraflow::models {
namespace {

NetOptions dense_convolutional_net(int64_t growth, Activation activation) {
  return {.kind = NetKind::kDense,
          .depth = 3,
          .growth = growth,
          .kernels = {3, 3, 3, 1},
          .activation = activation,
          .lipschitz = 0.9};
}

// Small enough for two cores: minutes, not days.
std::vector<Preset> small_presets() {
  ImageOptions residual{
      .blocks = {2, 4, 4}, .net = convolutional_net(32), .factor_out = true, .logit = false};
  ImageOptions monotone = residual;
  monotone.family = Family::kMonotone;
  monotone.net = dense_convolutional_net(32, Activation::kCPila);
  return {make_preset("image_small", "small Residual Flow of images, for two cores", residual),
          make_preset("image_small_monotone", "small Monotone Flow of images, for two cores",
                      monotone)};
}

std::vector<Preset> image_presets() { return small_presets(); }

}  // namespace

ModelEntry image_entry() {
  return make_entry<ImageOptions>("image", "contractive blocks on images, at several scales",
                                  image_presets(), image_spec);
}

ImageOptions image_preset(std::string_view name) {
  const auto [entry, preset] = find_preset(name);
  if (entry.name == "image") return options_from_json<ImageOptions>(preset.options, "model");
  fail<ConfigError>("model", "preset", "a model of images",
                    c10::str("'", name, "', of the family ", entry.name),
                    "Read its options with models::read_model().");
}

}  // namespace contraflow::models
