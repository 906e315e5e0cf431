#pragma once

#include <cstdint>
#include <vector>

#include "contraflow/core/options.h"
#include "contraflow/core/rng.h"
#include "contraflow/kernels/activations.h"
#include "contraflow/networks/contractive_net.h"
#include "contraflow/networks/spectral_norm.h"

namespace contraflow {

enum class NetKind {
  kSequential,  ///< linear layers with an activation between (and before the first, on request)
  kDense,       ///< dense concatenation (i-DenseNet): each layer's output is appended to its input
};

template <>
struct EnumNames<NetKind> {
  static constexpr std::array values{std::pair{"sequential", NetKind::kSequential},
                                     std::pair{"dense", NetKind::kDense}};
};

/// A contractive network on vectors.
struct NetOptions {
  NetKind kind = NetKind::kDense;
  /// Hidden widths of a sequential net.
  std::vector<int64_t> hidden = {128, 128};
  /// Layers of a dense net and the features each appends (after a concatenating activation).
  int64_t depth = 3;
  int64_t growth = 16;
  Activation activation = Activation::kClipSwish;
  /// An activation before the first linear layer of a sequential net, as in Residual Flows.
  bool activate_input = false;
  /// Train the weights of the dense concatenation.
  bool learnable_concatenation = true;
  /// Bound on Lip(G), in (0, 1): every layer but the last has constant 1, the last this.
  double lipschitz = 0.9;
  NormMethod norm = NormMethod::kCholesky;
  double norm_tolerance = 1e-3;
  int64_t norm_every = 1;
  /// Factor of the initial weights: uniform within init_gain / sqrt(inputs).
  double init_gain = 1.0;
};

template <class Field>
void visit(NetOptions& o, Field&& field) {
  field("kind", o.kind, "Shape of the network: layers in sequence, or densely concatenated.");
  field("hidden", o.hidden, "Hidden widths of a sequential net.");
  field("depth", o.depth, at_least(1), "Layers of a dense net before the last.");
  field("growth", o.growth, at_least(1), "Features each dense layer appends.");
  field("activation", o.activation, "Activation; clipswish, cpila and crelu double the features.");
  field("activate_input", o.activate_input,
        "Sequential: an activation before the first linear layer.");
  field("learnable_concatenation", o.learnable_concatenation,
        "Train the dense concatenation's weights.");
  field("lipschitz", o.lipschitz, open_interval(0.0, 1.0), "Bound on Lip(G).");
  field("norm", o.norm, "How spectral norms are bounded; only 'estimated' is not a proof.");
  field("norm_tolerance", o.norm_tolerance, open_interval(0.0, 0.01),
        "Relative slack of a norm's proof.");
  field("norm_every", o.norm_every, at_least(1),
        "Steps per norm refresh; the drift between is added.");
  field("init_gain", o.init_gain, positive(), "Factor of the initial weights.");
}

/// Contradictions: a concatenating activation with an odd growth, non-positive widths ->
/// ConfigError.
void validate(const NetOptions& options);

/// A fresh net R^dim -> R^dim; the condition [b, condition] enters every linear layer but the last.
ContractiveNetPtr make_net(int64_t dim, int64_t condition, const NetOptions& options,
                           const Rng& rng);

}  // namespace contraflow
