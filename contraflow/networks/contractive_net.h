#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/roundoff.h"
#include "contraflow/core/vector_norm.h"
#include "contraflow/networks/grid_reach.h"
#include "contraflow/networks/layer_bound.h"

namespace contraflow {

/// Gradients of  L = g.G(w) + sum_p u_p.J(w) t_p.
struct NetGradients {
  at::Tensor w;                        ///< [b, d]
  at::Tensor condition;                ///< [b, c], undefined when the net has none
  std::vector<at::Tensor> parameters;  ///< in the order of net.parameters()
};

/// A network linearised at a batch of points w [b, d]. Probes come first: t, u: [p, b, d].
/// A point whose batch was narrowed or selected answers for those rows. Not for concurrent use.
class CF_EXPORT NetPoint {
 public:
  virtual ~NetPoint() = default;
  virtual const at::Tensor& value() const = 0;
  virtual at::Tensor jvp(const at::Tensor& t) const = 0;
  virtual at::Tensor vjp(const at::Tensor& u) const = 0;
  /// The same point with jvp(), vjp() and the tangents of gradients() by the net's products of reduced
  /// precision; null, the default: it has none.
  virtual std::unique_ptr<NetPoint> reduced() const { return nullptr; }
  /// Of a reduced point: bound [] on |vjp(u) - J^T u| / |u|, and of jvp() alike, J the Jacobian of working
  /// products; undefined: that is what it multiplies by.
  virtual at::Tensor product_error() const { return {}; }
  /// The net's, for the type of w.
  virtual double unit_roundoff() const { return contraflow::unit_roundoff(value().scalar_type()); }
  /// Which entries of the Jacobian are 0 because of the net's reach on an image; unset: none.
  virtual std::optional<GridReach> reach() const { return std::nullopt; }
  /// `g` [b, d] may be undefined; `u` and `t` are undefined together.
  virtual NetGradients gradients(const at::Tensor& g, const at::Tensor& u, const at::Tensor& t) = 0;
  /// For vjp and jvp only, of chosen rows or of the first `count`.
  virtual std::unique_ptr<NetPoint> select(const at::Tensor& rows) const = 0;
  virtual std::unique_ptr<NetPoint> narrow(int64_t count) const = 0;
};

/// G itself for one call, effective weights computed once: `rows` (int64, undefined = all) are the
/// rows of the condition that belong to w.
using NetMap = std::function<at::Tensor(const at::Tensor& w, const at::Tensor& rows)>;

class LowerableNet;

/// A network G: R^d -> R^d with Lip(G) <= lipschitz() < 1 in w (the condition is unconstrained).
/// Threads  const members may run concurrently; refresh() needs exclusive access.
class CF_EXPORT ContractiveNet : public torch::nn::Module {
 public:
  virtual int64_t dim() const = 0;
  virtual int64_t condition_size() const { return 0; }
  /// The bound in force on Lip(G) in w, in the norm of order norm_order().
  virtual double lipschitz() const = 0;
  virtual double norm_order() const { return 2.0; }
  /// Most by which a constant in that norm grows in the Euclidean one: d^|1/2 - 1/p|.
  double euclidean_factor() const {
    const double p = norm_order();
    return norm_ratio(2.0, p, dim()) * norm_ratio(p, 2.0, dim());
  }
  LipschitzBound bound() const { return {lipschitz(), norm_order()}; }
  /// Whether lipschitz() is proven rather than estimated or declared.
  virtual bool proven() const = 0;
  virtual std::vector<LayerBound> layer_bounds() const { return {}; }
  /// On a grid, positions from one of G(w) to the farthest one of w that it reads; unset: all.
  virtual std::optional<int64_t> receptive_radius() const { return std::nullopt; }
  /// Largest relative rounding of the arithmetic in G for w of that type, in which certified
  /// errors are counted: larger than the type's own where products run in a narrower one.
  virtual double unit_roundoff(at::ScalarType type) const {
    return contraflow::unit_roundoff(type);
  }
  /// The same of reduced points and reduced_map(); larger than the former: there are such.
  virtual double reduced_roundoff(at::ScalarType type) const { return unit_roundoff(type); }
  bool has_reduced_products(at::ScalarType type) const {
    return reduced_roundoff(type) > unit_roundoff(type);
  }
  /// A proven Euclidean constant of the weights as they are, in whatever norm they were bounded;
  /// infinity (the default) where there is none. Proven anew at every call.
  virtual double euclidean_proof() const { return std::numeric_limits<double>::infinity(); }

  /// What fused kernels can run of it (networks/lowerable_net.h); null, the default: nothing.
  virtual const LowerableNet* lowerable() const { return nullptr; }
  virtual NetMap map(const at::Tensor& condition) const = 0;
  /// G by products of reduced precision, for the first part of a solve; the same where there are none.
  virtual NetMap reduced_map(const at::Tensor& condition) const { return map(condition); }
  virtual std::unique_ptr<NetPoint> linearize(const at::Tensor& w,
                                              const at::Tensor& condition) const = 0;
  /// Recomputes the norm bounds; `force` ignores the refresh interval.
  virtual void refresh(bool force) = 0;
  /// A proven bound on how fast the Jacobian turns, |J(w) - J(w')| <= curvature() |w - w'| in
  /// Euclidean norms; infinity (the default) where there is none. Proven anew at every call.
  virtual double curvature() const { return std::numeric_limits<double>::infinity(); }
};

using ContractiveNetPtr = std::shared_ptr<ContractiveNet>;

}  // namespace contraflow
