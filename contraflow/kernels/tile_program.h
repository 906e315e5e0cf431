#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "contraflow/kernels/activations.h"

namespace contraflow::kernels {

/// A chain of small transforms, lowered to what the tile kernels run: plain numbers and pointers,
/// valid for one call. Transforms build it (transforms/lowering.h); nothing here knows them.
///
/// Weights, biases and per-feature arrays have the type of the run (float or double). All spans
/// point into tensors that outlive the call.

/// One layer of a net: z = (scale W diag(multipliers)) f[in_begin ...] + bias + V h, then phi(z)
/// appended to the features at out_begin. Features 0 .. dim-1 are the net's input. Layers that read
/// every feature before them make a densely concatenated net; its concatenation's weights are the
/// multipliers.
struct TileLayer {
  const void* weight = nullptr;  ///< [outputs, inputs], row-major; null: z = f
  const void* bias = nullptr;    ///< [outputs]
  /// V [outputs, conditions], row-major, for the program's condition h; null: none, conditions = 0.
  const void* condition_weight = nullptr;
  int64_t conditions = 0;
  double scale = 1.0;
  std::vector<double> multipliers;  ///< [inputs]; empty: all 1
  int64_t in_begin = 0;
  int64_t inputs = 0;
  int64_t outputs = 0;
  bool activated = true;  ///< false for the last layer, whose z is the net's value
  Activation activation = Activation::kTanh;
  double beta = 1.0;
  int64_t out_begin = 0;
  /// First row of this layer's pre-activations among the net's.
  int64_t z_begin = 0;
  /// First row of its slopes: expansion(activation) rows per pre-activation.
  int64_t slope_begin = 0;
  /// First row of its bias + V h among the net's, where it has a condition.
  int64_t shift_begin = 0;
  /// Where its gradients start in the program's gradient buffer: [inputs, outputs] of the weight
  /// that multiplies (scale and multipliers included), then [outputs] of the bias, then beta's, then
  /// [conditions, outputs] of V.
  int64_t gradient_begin = 0;
  int64_t beta_gradient() const { return weight == nullptr ? 0 : (inputs + 1) * outputs; }
  int64_t condition_gradient() const { return beta_gradient() + 1; }
  int64_t gradient_size() const { return condition_gradient() + conditions * outputs; }
  /// Whether a later layer reads some of the same features: in the reverse pass this one then adds.
  bool shares_input = false;
};

struct TileNet {
  int64_t dim = 0;
  std::vector<TileLayer> layers;
  int64_t features = 0;  ///< rows of the feature panel, the input's included
  int64_t z_rows = 0;
  int64_t slope_rows = 0;
  int64_t shift_rows = 0;  ///< 0: no layer has a condition
};

/// One term of the log-determinant's power series, as roulette or truncation weight it.
struct SeriesTerm {
  int power = 1;
  double value = 0.0;    ///< factor of v . K^power v
  double neumann = 0.0;  ///< factor of K^(power - 1) v in the gradient's vector
};

/// The stochastic log-determinant of one block: a chain of K = J - shift I over probes.
struct TileSeries {
  std::vector<SeriesTerm> terms;    ///< at least as many as the largest count
  const int64_t* counts = nullptr;  ///< [batch] terms per row; null: all terms in every row
  const void* probes = nullptr;     ///< [probe_count, batch, dim]
  int64_t probe_count = 1;
  double shift = 0.0;
  double constant = 0.0;     ///< log-determinant of the shifted identity part
  double tail_factor = 0.0;  ///< times |v| |K^n v| bounds the bias of a truncation; 0: none
};

/// Contractive block  x = a w + b G(w),  y = c w + d G(w)  with Lip(G) <= kappa.
struct TileBlock {
  TileNet net;
  double a = 1, b = 0, c = 1, d = 1;
  double kappa = 0;
  bool exact = true;  ///< the whole Jacobian, else `series`, of which no probes are no estimate
  TileSeries series;
  double tolerance = 1e-6;           ///< Euclidean error of y
  double backward_tolerance = 1e-3;  ///< relative, of the transposed solve
  bool to_rounding = false;          ///< where the type cannot certify the tolerance: go on
  int64_t memory = 4;                ///< past steps that the solver mixes; 0 = plain iteration
  int64_t max_iterations = 2000;
  double lipschitz = 1.0;  ///< of x -> y: carries the error of earlier solves

  double determinant() const { return a * d - b * c; }
  bool solves() const { return b != 0; }
  /// False without probes as well: for a block whose log-determinant nobody wants.
  bool has_series() const { return !exact && series.probe_count > 0; }
};

/// y = scale x + shift per feature; log_det is the caller's constant.
struct TileAffine {
  std::vector<double> scale;
  std::vector<double> shift;
  double log_det = 0.0;
  double lipschitz = 1.0;
  int64_t gradient_begin = 0;  ///< [dim] of scale, then [dim] of shift
};

using TileStep = std::variant<TileBlock, TileAffine>;

struct TileProgram {
  int64_t dim = 0;
  std::vector<TileStep> steps;
  int64_t gradient_size = 0;
  const void* condition = nullptr;  ///< h [batch, conditions], of every layer that has one
  int64_t conditions = 0;
};

}  // namespace contraflow::kernels
