#include "contraflow/networks/net_options.h"

#include "contraflow/core/error.h"
#include "contraflow/networks/activation_layer.h"
#include "contraflow/networks/dense_concat.h"
#include "contraflow/networks/layered_net.h"
#include "contraflow/networks/lipschitz_linear.h"
#include "contraflow/networks/sequential.h"
#include "contraflow/networks/sort_layer.h"

namespace contraflow {
namespace {

class NetBuilder {
 public:
  NetBuilder(int64_t dim, int64_t condition, const NetOptions& options, const Rng& rng)
      : dim_(dim), condition_(condition), options_(options), rng_(rng) {}

  LayerPtr build() { return options_.kind == NetKind::kDense ? dense() : sequential(); }

 private:
  LayerPtr linear(int64_t inputs, int64_t outputs, double cap, bool conditioned) {
    const auto layer = std::make_shared<LipschitzLinear>(
        LipschitzLinearOptions{.inputs = inputs,
                               .outputs = outputs,
                               .cap = cap,
                               .norm = options_.norm,
                               .norm_tolerance = options_.norm_tolerance,
                               .refresh_every = options_.norm_every,
                               .condition = conditioned ? condition_ : 0});
    layer->initialise(rng_.fork(count_++), options_.init_gain);
    return layer;
  }

  LayerPtr activation(int64_t features) const {
    if (is_sorting(options_.activation))
      return std::make_shared<SortLayer>(options_.activation, features);
    return std::make_shared<ActivationLayer>(options_.activation, features);
  }

  // A layer's constant above 1 (plain swish) is paid for by the linear layer before it.
  double inner_cap() const { return 1.0 / lipschitz_constant(options_.activation); }

  LayerPtr sequential() {
    std::vector<LayerPtr> layers;
    int64_t width = dim_;
    if (options_.activate_input) {
      layers.push_back(activation(width));
      width = layers.back()->outputs();
    }
    // With a plain activation before the first layer one more constant has to be paid.
    double cap = options_.activate_input ? inner_cap() : 1.0;
    for (const int64_t hidden : options_.hidden) {
      layers.push_back(linear(width, hidden, cap, true));
      layers.push_back(activation(hidden));
      width = layers.back()->outputs();
      cap = inner_cap();
    }
    layers.push_back(linear(width, dim_, options_.lipschitz * cap, options_.hidden.empty()));
    return std::make_shared<Sequential>(std::move(layers));
  }

  LayerPtr dense() {
    std::vector<LayerPtr> layers;
    int64_t width = dim_;
    for (int64_t k = 0; k < options_.depth; ++k) {
      const int64_t features = options_.growth / expansion(options_.activation);
      const LayerPtr inner = std::make_shared<Sequential>(
          std::vector<LayerPtr>{linear(width, features, inner_cap(), true), activation(features)});
      layers.push_back(std::make_shared<DenseConcat>(inner, options_.learnable_concatenation));
      width = layers.back()->outputs();
    }
    layers.push_back(linear(width, dim_, options_.lipschitz, false));
    return std::make_shared<Sequential>(std::move(layers));
  }

  int64_t dim_;
  int64_t condition_;
  const NetOptions& options_;
  Rng rng_;
  uint64_t count_ = 0;
};

}  // namespace

void validate(const NetOptions& options) {
  if (options.kind == NetKind::kDense && options.growth % expansion(options.activation) != 0) {
    fail<ConfigError>("net", "growth", "an even number for a concatenating activation",
                      std::to_string(options.growth), "Use an even growth, or another activation.");
  }
  for (const int64_t width : options.hidden) {
    if (width < 1) {
      fail<ConfigError>("net", "hidden", "widths of at least 1", std::to_string(width),
                        "Remove it.");
    }
  }
}

ContractiveNetPtr make_net(int64_t dim, int64_t condition, const NetOptions& options,
                           const Rng& rng) {
  validate(options);
  return std::make_shared<LayeredNet>(NetBuilder(dim, condition, options, rng).build(), condition);
}

}  // namespace contraflow
