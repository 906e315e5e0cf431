#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/roundoff.h"
#include "contraflow/networks/layer_bound.h"
#include "contraflow/networks/product_type.h"

namespace contraflow {

/// Shape legend of this folder: b batch, i inputs, o outputs, p probes (tangents), c condition.
/// Features are the last axis: wherever [b, i] is written, a layer takes positions between, as in
/// [b, height, width, i], and wherever [p, b, i] is, as in [p, b, height, width, i].

/// What one layer keeps of a pass through it. A tape belongs to one linearisation; layers are
/// const.
struct CF_EXPORT Tape {
  at::Tensor weight;  ///< effective weight [o, i] (linear layers), shared by all passes of a call
  WeightFactor reduced;    ///< the same for products of reduced precision; undefined: none
  at::Tensor shift;        ///< bias plus condition term, [o] or [b, o]
  at::Tensor condition;    ///< [b, c] or undefined
  at::Tensor input;        ///< [b, i]
  at::Tensor value;        ///< [b, o], kept where a parameter gradient needs it
  at::Tensor slope;        ///< activations: phi'(z), [b, o]; sorting: source index, int64
  at::Tensor tangent;      ///< recorded tangent entering the layer, [p, b, i]
  at::Tensor tangent_out;  ///< recorded tangent leaving, kept where a gradient needs it, [p, b, o]
  std::vector<Tape> children;
  bool takes_reduced = false;  ///< whether the passes of factor() multiply by `reduced`

  /// What value(), jvp(), vjp() and tangents of a dual reverse multiply by; its values take `weight`.
  WeightFactor factor() const {
    return takes_reduced && reduced.weight.defined() ? reduced : WeightFactor{.weight = weight};
  }
  /// The same tape with takes_reduced, here and below.
  [[nodiscard]] Tape with_reduced() const;
  /// The same tape for chosen rows (int64 indices) of the batch, for value(), jvp() and vjp(): what
  /// only a dual reverse reads is dropped.
  [[nodiscard]] Tape select(const at::Tensor& rows) const;
  /// The same for the first `count` rows, without copying.
  [[nodiscard]] Tape narrow(int64_t count) const;
};

/// The pair that travels down the dual reverse of  L = D.a + sum_p E_p . t_p : derivatives of the
/// loss with respect to a layer's value and its tangents. Either may be undefined (zero).
struct Dual {
  at::Tensor value;    ///< [b, o]
  at::Tensor tangent;  ///< [p, b, o]
};

/// Collects gradients by parameter.
class CF_EXPORT GradientMap {
 public:
  void add(const at::Tensor& parameter, const at::Tensor& gradient);
  /// In the order of `parameters`; zeros where nothing was added.
  std::vector<at::Tensor> in_order(const std::vector<at::Tensor>& parameters) const;

 private:
  std::unordered_map<const void*, at::Tensor> sums_;
};

class LowerableNet;

/// A layer of a contractive network: value, JVP, VJP, dual reverse and parameter gradients, without
/// an autograd graph.
///
/// Source     docs/numerics.md, "Derivatives of a network without a graph".
/// Threads    const members may run concurrently; refresh() needs exclusive access.
class CF_EXPORT Layer : public torch::nn::Module {
 public:
  virtual int64_t inputs() const = 0;
  virtual int64_t outputs() const = 0;
  /// Upper bound on the Lipschitz constant in the layer's input (not in the condition).
  virtual double lipschitz() const = 0;
  /// Adds the bounds on which lipschitz() rests, as lines of a certificate under `name`. A layer
  /// that does not say leaves a line that proves nothing, and so an unproven net.
  virtual void append_bounds(const std::string& name, std::vector<LayerBound>& to) const;
  /// A proven Euclidean constant of the layer as it is, whatever norm it is bounded in; infinity
  /// (the default) where there is none. Proven anew at every call.
  virtual double euclidean_proof() const;
  /// A proven bound on how fast the Jacobian turns, |J(a) - J(b)| <= curvature() |a - b| in Euclidean
  /// norms; infinity (the default) where there is none. Proven anew at every call.
  virtual double curvature() const;
  /// Positions from one of an output to the farthest one that it reads; unset (the default): all.
  virtual std::optional<int64_t> receptive_radius() const { return std::nullopt; }
  /// Roundoff of the layer's arithmetic for inputs of that type: larger where products run in a
  /// narrower one.
  virtual double unit_roundoff(at::ScalarType type) const {
    return contraflow::unit_roundoff(type);
  }

  /// The same of the passes of a tape that takes_reduced.
  virtual double reduced_roundoff(at::ScalarType type) const { return unit_roundoff(type); }
  /// Bound [] on |P a - J a| / |a|, P the jvp() or vjp() of a tape that takes_reduced, J the Jacobian of
  /// working products; undefined (the default): both are the same.
  virtual at::Tensor product_error(const Tape& /*tape*/) const { return {}; }

  /// Fills what every pass of a call shares (effective weights, condition terms).
  virtual void bind(Tape& tape, const at::Tensor& condition) const = 0;
  /// Value [b, o] without storing anything; `tape` is bound, maybe narrowed to the rows of `a`.
  virtual at::Tensor value(const Tape& tape, const at::Tensor& a) const = 0;
  /// Value, storing in `tape` what the derivatives need.
  virtual at::Tensor record(Tape& tape, const at::Tensor& a) const = 0;
  /// J t for t [p, b, i]; stores tangents in `tape` when `keep`.
  virtual at::Tensor jvp(Tape& tape, const at::Tensor& t, bool keep) const = 0;
  /// J^T u for u [p, b, o].
  virtual at::Tensor vjp(const Tape& tape, const at::Tensor& u) const = 0;
  /// One step down the dual reverse; adds parameter gradients (and "condition" ones to
  /// `condition`).
  virtual Dual dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                            at::Tensor& condition_gradient) const = 0;
  /// What fused kernels can run of it (networks/lowerable_net.h); null, the default: nothing.
  virtual const LowerableNet* lowerable() const { return nullptr; }
  /// Refreshes norm bounds from the current weights; `force` ignores the refresh interval.
  virtual void refresh(bool /*force*/) {}
};

using LayerPtr = std::shared_ptr<Layer>;

/// A layer whose constant is a theorem about its formula, for all values of its parameters, and
/// that maps each position by itself: activations, sorting.
class CF_EXPORT PointwiseLayer : public Layer {
 public:
  void append_bounds(const std::string& /*name*/, std::vector<LayerBound>& /*to*/) const override {}
  double euclidean_proof() const override { return lipschitz(); }
  std::optional<int64_t> receptive_radius() const override { return 0; }
};

}  // namespace contraflow
