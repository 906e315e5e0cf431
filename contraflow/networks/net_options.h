#pragma once

#include <cstdint>
#include <vector>

#include "contraflow/core/event_shape.h"
#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/core/rng.h"
#include "contraflow/kernels/activations.h"
#include "contraflow/networks/contractive_net.h"
#include "contraflow/networks/conv_grid.h"
#include "contraflow/networks/product_type.h"
#include "contraflow/networks/spectral_norm.h"

namespace contraflow {

enum class NetKind {
  kSequential,  ///< linear layers with an activation between (and before the first, on request)
  kDense,       ///< dense concatenation (i-DenseNet): each layer's output is appended to its input
};

constexpr auto enum_names(NetKind) {
  return std::array{std::pair{"sequential", NetKind::kSequential},
                    std::pair{"dense", NetKind::kDense}};
}

/// The norms in which the layers of a sequential net are bounded; see NormOrders.
enum class NormOrder {
  kTwo,            ///< Euclidean everywhere: spectral norms, proven
  kOne,            ///< |.|_1 everywhere: largest column sums, exact
  kInfinity,       ///< |.|_inf everywhere: largest row sums, exact
  kGiven,          ///< an order before each linear layer: `norm_orders`
  kLearned,        ///< each of them learned, in (1.5, 2.5); estimated
  kLearnedShared,  ///< one for the whole net, learned
};

constexpr auto enum_names(NormOrder) {
  return std::array{std::pair{"two", NormOrder::kTwo},
                    std::pair{"one", NormOrder::kOne},
                    std::pair{"infinity", NormOrder::kInfinity},
                    std::pair{"given", NormOrder::kGiven},
                    std::pair{"learned", NormOrder::kLearned},
                    std::pair{"learned_shared", NormOrder::kLearnedShared}};
}

/// A contractive network, on events as rows of numbers or, with `kernels`, on images. One struct for
/// both: a convolution is a linear layer with a kernel, and all else is the same.
struct NetOptions {
  NetKind kind = NetKind::kDense;
  /// Hidden widths of a sequential net.
  std::vector<int64_t> hidden = {128, 128};
  /// Layers of a dense net and the features each appends (after a concatenating activation).
  int64_t depth = 3;
  int64_t growth = 16;
  /// Features of a linear layer in front of a dense net, without an activation; 0 = none. It makes
  /// the layers of an event with many numbers small.
  int64_t stem = 0;
  /// Sides of the kernels, odd, one for each linear layer (hidden and the last, or stem, depth and
  /// the last), which then are convolutions on the grid of an event [channels, height, width]; empty:
  /// linear layers that see all numbers of an event.
  std::vector<int64_t> kernels = {};
  /// What convolutions read beyond the border.
  ConvPadding padding = ConvPadding::kZero;
  Activation activation = Activation::kClipSwish;
  /// An activation before the first linear layer of a sequential net, as in Residual Flows.
  bool activate_input = false;
  /// Train the weights of the dense concatenation.
  bool learnable_concatenation = true;
  /// Bound on Lip(G), in (0, 1): every layer but the last has constant 1, the last this.
  double lipschitz = 0.9;
  NormMethod norm = NormMethod::kCholesky;
  /// In which norms, and with `given` the order before each linear layer, of which the first is the
  /// order after the last as well; 0 stands for infinity.
  NormOrder norm_order = NormOrder::kTwo;
  std::vector<double> norm_orders = {};
  /// Where norms of those orders are only estimated: a bound on the product of the layers' spectral
  /// norms that is kept as well, and proves the net's constant in the Euclidean norm; 0 = none.
  double euclidean = 0.99;
  double norm_tolerance = 1e-3;
  int64_t norm_every = 1;
  /// Arithmetic of the products in the log-determinant's series and in the first part of solves; all
  /// else takes the working type's, and so does a net in float64. Such nets do not run in the tile kernels.
  ProductType products = ProductType::kWorking;
  /// Factor of the initial weights: uniform within init_gain / sqrt(inputs).
  double init_gain = 1.0;
};

template <class Field>
void visit(NetOptions& o, Field&& field) {
  field("kind", o.kind, "Shape of the network: layers in sequence, or densely concatenated.");
  field("hidden", o.hidden, "Hidden widths of a sequential net.");
  field("depth", o.depth, at_least(1), "Layers of a dense net before the last.");
  field("growth", o.growth, at_least(1), "Features each dense layer appends.");
  field("stem", o.stem, at_least(0),
        "Dense: features of a linear layer in front, without an activation; 0 = none.");
  field("kernels", o.kernels, at_least(1),
        "Images: odd sides of the convolutions, one per linear layer, as [3, 1, 3]; empty: none.");
  field("padding", o.padding, "What convolutions read beyond the border: zero or circular.");
  field("activation", o.activation, "Activation; clipswish, cpila and crelu double the features.");
  field("activate_input", o.activate_input,
        "Sequential: an activation before the first linear layer.");
  field("learnable_concatenation", o.learnable_concatenation,
        "Train the dense concatenation's weights.");
  field("lipschitz", o.lipschitz, open_interval(0.0, 1.0), "Bound on Lip(G).");
  field("norm", o.norm, "How spectral norms are bounded; only 'estimated' is not a proof.");
  field("norm_order", o.norm_order,
        "Sequential: norms in which layers are bounded; two, one and infinity are proven.");
  field("norm_orders", o.norm_orders,
        "Given: the order before each linear layer, at least 1, or 0 for infinity.");
  field("euclidean", o.euclidean, half_open_interval(0.0, 1.0),
        "Bound on spectral norms too where orders are estimated: the proof; 0 = none.");
  field("norm_tolerance", o.norm_tolerance, open_interval(0.0, 0.01),
        "Relative slack of a norm's proof.");
  field("norm_every", o.norm_every, at_least(1),
        "Steps per norm refresh; the drift between is added.");
  field("products", o.products,
        "Products of series and solves: working, bfloat16 or tf32; solves end in working ones.");
  field("init_gain", o.init_gain, positive(), "Factor of the initial weights.");
}

/// Contradictions: a concatenating activation with an odd growth, non-positive widths, even kernels
/// or as many as there are no layers -> ConfigError.
CF_EXPORT void validate(const NetOptions& options);
/// ConfigError for kernels and an event that is not [channels, height, width].
CF_EXPORT void check_net_event(const NetOptions& options, const EventShape& event);

/// A fresh net on rows of event.size() numbers, channels first; the condition [b, condition] enters
/// every linear layer but the last, of convolutions as a shift of each channel.
CF_EXPORT ContractiveNetPtr make_net(const EventShape& event, int64_t condition,
                                     const NetOptions& options, const Rng& rng);

}  // namespace contraflow
