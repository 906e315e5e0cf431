#include "contraflow/networks/net_options.h"

#include <algorithm>
#include <cmath>

#include "contraflow/core/error.h"
#include "contraflow/networks/activation_layer.h"
#include "contraflow/networks/dense_concat.h"
#include "contraflow/networks/grid_layer.h"
#include "contraflow/networks/induced_norm.h"
#include "contraflow/networks/layered_net.h"
#include "contraflow/networks/lipschitz_conv.h"
#include "contraflow/networks/lipschitz_linear.h"
#include "contraflow/networks/norm_orders.h"
#include "contraflow/networks/sequential.h"
#include "contraflow/networks/sort_layer.h"

namespace contraflow {
namespace {

std::vector<double> given_orders(const NetOptions& options) {
  std::vector<double> orders = options.norm_orders;
  for (double& p : orders) {
    if (p == 0.0) p = kInfinityOrder;
  }
  return orders;
}

// The constants of concatenating activations hold in the 2-norm, and so from there on: the longer
// pair (|a|^p + |b|^p)^(1/p) falls with p. Below 2 they do not.
bool has_order_below_two(const NetOptions& options) {
  if (options.norm_order == NormOrder::kGiven) {
    const std::vector<double> orders = given_orders(options);
    return std::any_of(orders.begin(), orders.end(), [](double p) { return p < 2.0; });
  }
  return options.norm_order != NormOrder::kTwo && options.norm_order != NormOrder::kInfinity;
}

void validate_orders(const NetOptions& options) {
  const bool given = options.norm_order == NormOrder::kGiven;
  const size_t count = options.hidden.size() + 1;
  if (options.norm_orders.size() != (given ? count : 0)) {
    fail<ConfigError>("net", "norm_orders",
                      given
                          ? "one order for each of the " + std::to_string(count) + " linear layers"
                          : "none unless norm_order is 'given'",
                      std::to_string(options.norm_orders.size()),
                      "The last layer ends in the order of the first.");
  }
  for (const double p : given_orders(options)) {
    if (p >= 1.0) continue;
    fail<ConfigError>("net", "norm_orders", "orders of at least 1, or 0 for infinity",
                      std::to_string(p), "Below 1 there is no norm.");
  }
  if (options.norm_order == NormOrder::kTwo) return;
  if (options.kind == NetKind::kDense) {
    fail<ConfigError>("net", "norm_order", "'two' for a dense net", "another",
                      "Its concatenation is bounded in the Euclidean norm; use kind 'sequential'.");
  }
  if (expansion(options.activation) > 1 && has_order_below_two(options)) {
    fail<ConfigError>("net", "norm_order", "orders of at least 2 with a concatenating activation",
                      "one below 2, or a learned one", "Use 'infinity', or another activation.");
  }
}

void validate_kernels(const NetOptions& options) {
  if (options.kernels.empty()) return;
  const auto layers = options.kind == NetKind::kDense ? options.depth + (options.stem > 0 ? 1 : 0)
                                                      : std::ssize(options.hidden);
  if (std::ssize(options.kernels) != layers + 1) {
    fail<ConfigError>("net", "kernels",
                      c10::str("one side for each of the ", layers + 1, " linear layers"),
                      std::to_string(options.kernels.size()),
                      "The last layer has one too, as in [3, 1, 3] for two hidden widths.");
  }
  for (const int64_t kernel : options.kernels) {
    if (kernel > 0 && kernel % 2 == 1) continue;
    fail<ConfigError>("net", "kernels", "odd sides of at least 1", std::to_string(kernel),
                      "Use 1, 3 or 5: an even kernel has no middle.");
  }
  if (options.norm_order != NormOrder::kTwo) {
    fail<ConfigError>(
        "net", "norm_order", "'two' with kernels", "another",
        "Convolutions are bounded in the Euclidean norm; drop kernels or norm_order.");
  }
}

void validate_products(const NetOptions& options) {
  if (options.products == ProductType::kWorking || options.norm_order == NormOrder::kTwo) return;
  fail<ConfigError>(
      "net", "norm_order", "'two' with products of reduced precision", "another",
      "Their rounding is bounded in the Euclidean norm; drop products or norm_order.");
}

class NetBuilder {
 public:
  NetBuilder(const EventShape& event, int64_t condition, const NetOptions& options, const Rng& rng)
      : event_(event),
        features_(options.kernels.empty() ? event.size() : event.features()),
        condition_(condition),
        options_(options),
        rng_(rng),
        orders_(norm_orders()),
        spectral_factor_(spectral_factor()) {}

  /// Null for Euclidean norms.
  const std::shared_ptr<NormOrders>& orders() const { return orders_; }
  bool has_spectral_caps() const { return spectral_factor_ > 0.0; }

  LayerPtr build() {
    if (orders_) layers_.push_back(orders_);
    if (on_grid()) layers_.push_back(grid(GridLayer::Direction::kToGrid));
    if (options_.kind == NetKind::kDense) {
      add_dense();
    } else {
      add_sequential();
    }
    if (on_grid()) layers_.push_back(grid(GridLayer::Direction::kToRows));
    return std::make_shared<Sequential>(std::move(layers_));
  }

  bool on_grid() const { return !options_.kernels.empty(); }
  /// Of the convolutions.
  ConvGrid conv_grid() const {
    const std::vector<int64_t>& image = event_.sizes();
    return {image[1], image[2], options_.padding};
  }

 private:
  LayerPtr grid(GridLayer::Direction direction) const {
    return std::make_shared<GridLayer>(event_, direction);
  }

  std::shared_ptr<NormOrders> norm_orders() const {
    const auto count = static_cast<int64_t>(options_.hidden.size()) + 1;
    const auto all = [count](double p) {
      return std::vector<double>(static_cast<size_t>(count), p);
    };
    switch (options_.norm_order) {
      case NormOrder::kTwo:
        return nullptr;
      case NormOrder::kOne:
        return std::make_shared<NormOrders>(features_, all(1.0));
      case NormOrder::kInfinity:
        return std::make_shared<NormOrders>(features_, all(kInfinityOrder));
      case NormOrder::kGiven:
        return std::make_shared<NormOrders>(features_, given_orders(options_));
      case NormOrder::kLearned:
      case NormOrder::kLearnedShared:
        break;
    }
    return NormOrders::learned(features_, count, options_.norm_order == NormOrder::kLearnedShared);
  }

  // What a layer's cap is multiplied by for its spectral norm, so that the caps' product is
  // options.euclidean; 0: no such caps, because the orders' own norms are proven.
  double spectral_factor() const {
    if (!orders_ || options_.euclidean == 0.0) return 0.0;
    const auto layers = static_cast<int64_t>(options_.hidden.size()) + 1;
    bool exact = !orders_->learnable();
    for (int64_t k = 0; exact && k < layers; ++k)
      exact = induced_norm_is_exact(orders_->order(k), orders_->order(k + 1));
    if (exact) return 0.0;
    return std::pow(options_.euclidean / options_.lipschitz, 1.0 / static_cast<double>(layers));
  }

  LayerPtr linear(int64_t inputs, int64_t outputs, double cap, bool conditioned) {
    const int64_t condition = conditioned ? condition_ : 0;
    const int64_t kernel = on_grid() ? options_.kernels[count_] : 1;
    if (kernel > 1) return initialised(convolution(inputs, outputs, kernel, cap, condition));
    return initialised(std::make_shared<LipschitzLinear>(
        LipschitzLinearOptions{.inputs = inputs,
                               .outputs = outputs,
                               .cap = cap,
                               .norm = options_.norm,
                               .norm_tolerance = options_.norm_tolerance,
                               .refresh_every = options_.norm_every,
                               .condition = condition,
                               .products = options_.products,
                               .orders = orders_,
                               .node = static_cast<int64_t>(count_),
                               .spectral_cap = cap * spectral_factor_}));
  }

  std::shared_ptr<LipschitzConv> convolution(int64_t inputs, int64_t outputs, int64_t kernel,
                                             double cap, int64_t condition) const {
    return std::make_shared<LipschitzConv>(
        LipschitzConvOptions{.inputs = inputs,
                             .outputs = outputs,
                             .kernel = kernel,
                             .grid = conv_grid(),
                             .cap = cap,
                             .norm = options_.norm,
                             .norm_tolerance = options_.norm_tolerance,
                             .refresh_every = options_.norm_every,
                             .condition = condition,
                             .products = options_.products});
  }

  template <class Bounded>
  LayerPtr initialised(const std::shared_ptr<Bounded>& layer) {
    layer->initialise(rng_.fork(count_++), options_.init_gain, /*bounded=*/!on_grid());
    return layer;
  }

  LayerPtr activation(int64_t features) const {
    if (is_sorting(options_.activation))
      return std::make_shared<SortLayer>(options_.activation, features);
    return std::make_shared<ActivationLayer>(options_.activation, features);
  }

  // A layer's constant above 1 (plain swish) is paid for by the linear layer before it.
  double inner_cap() const { return 1.0 / lipschitz_constant(options_.activation); }

  void add_sequential() {
    int64_t width = features_;
    if (options_.activate_input) {
      layers_.push_back(activation(width));
      width = layers_.back()->outputs();
    }
    // With a plain activation before the first layer one more constant has to be paid.
    double cap = options_.activate_input ? inner_cap() : 1.0;
    for (const int64_t hidden : options_.hidden) {
      layers_.push_back(linear(width, hidden, cap, true));
      layers_.push_back(activation(hidden));
      width = layers_.back()->outputs();
      cap = inner_cap();
    }
    layers_.push_back(linear(width, features_, options_.lipschitz * cap, options_.hidden.empty()));
  }

  void add_dense() {
    int64_t width = features_;
    if (options_.stem > 0) {
      layers_.push_back(linear(width, options_.stem, 1.0, true));
      width = options_.stem;
    }
    for (int64_t k = 0; k < options_.depth; ++k) {
      const int64_t features = options_.growth / expansion(options_.activation);
      const LayerPtr inner = std::make_shared<Sequential>(
          std::vector<LayerPtr>{linear(width, features, inner_cap(), true), activation(features)});
      layers_.push_back(std::make_shared<DenseConcat>(inner, options_.learnable_concatenation));
      width = layers_.back()->outputs();
    }
    layers_.push_back(linear(width, features_, options_.lipschitz, false));
  }

  EventShape event_;
  int64_t features_;  // of a position
  int64_t condition_;
  const NetOptions& options_;
  Rng rng_;
  std::shared_ptr<NormOrders> orders_;
  double spectral_factor_;
  uint64_t count_ = 0;  // linear layers made
  std::vector<LayerPtr> layers_;
};

}  // namespace

void validate(const NetOptions& options) {
  if (options.kind == NetKind::kDense && options.growth % expansion(options.activation) != 0) {
    fail<ConfigError>("net", "growth", "an even number for a concatenating activation",
                      std::to_string(options.growth), "Use an even growth, or another activation.");
  }
  validate_orders(options);
  validate_kernels(options);
  validate_products(options);
  for (const int64_t width : options.hidden) {
    if (width < 1) {
      fail<ConfigError>("net", "hidden", "widths of at least 1", std::to_string(width),
                        "Remove it.");
    }
  }
}

void check_net_event(const NetOptions& options, const EventShape& event) {
  if (options.kernels.empty() || event.sizes().size() == 3) return;
  fail<ConfigError>("net", "kernels", "an event [channels, height, width], or no kernels",
                    "the event " + event.text(),
                    "Drop net.kernels, or give the events of an image's shape.");
}

ContractiveNetPtr make_net(const EventShape& event, int64_t condition, const NetOptions& options,
                           const Rng& rng) {
  validate(options);
  check_net_event(options, event);
  NetBuilder builder(event, condition, options, rng);
  LayerPtr root = builder.build();
  if (builder.on_grid())
    return std::make_shared<LayeredNet>(std::move(root), condition, event.features(),
                                        builder.conv_grid());
  return std::make_shared<LayeredNet>(std::move(root), condition, builder.orders(),
                                      builder.has_spectral_caps());
}

}  // namespace contraflow
