#pragma once

#include <optional>

#include "contraflow/core/export.h"
#include "contraflow/log_det/log_det.h"
#include "contraflow/networks/contractive_net.h"
#include "contraflow/solvers/fixed_point.h"

namespace contraflow {

/// The relation of a contractive block,  x = A w + B G(w), y = C w + D G(w),  as computation: the
/// inverse is the relation of the swapped form.
struct BlockRelation {
  BlockForm form;
  ContractiveNetPtr net;
  LogDetOptions log_det;
  SolverOptions solver;
  double tolerance;           ///< Euclidean error of y
  double backward_tolerance;  ///< relative, of the transposed solve
  /// Where the dtype cannot certify the tolerance, go on until a step no longer helps: outside
  /// training. (The tile kernels; the composed solver stops at what it can certify.)
  bool to_rounding = false;
  /// Roulette: the law in force; unset = that of the options.
  std::optional<TermLaw> law = std::nullopt;
};

struct RelationResult {
  at::Tensor w;            ///< [b, d], the hidden point
  at::Tensor y;            ///< [b, d]
  at::Tensor error_bound;  ///< [b], of y; undefined when explicit
  LogDetEstimate log_det;
};

/// w with  A w + B G(w) = x, to the relation's tolerance. No autograd. Throws ConvergenceError.
CF_EXPORT at::Tensor hidden_point(const BlockRelation& relation, const at::Tensor& x,
                                  const at::Tensor& condition);

/// What evaluate_relation() computes besides y.
enum class RelationParts { kValue, kLogDet, kLogDetAndGradient };

/// y and log|det dy/dx|. No autograd. Throws ConvergenceError.
CF_EXPORT RelationResult evaluate_relation(const BlockRelation& relation, const at::Tensor& x,
                                           const at::Tensor& condition, const Rng& rng,
                                           RelationParts parts);

/// Throws InverseUnavailable while autograd builds a graph of a backward pass: it has no second
/// derivative.
CF_EXPORT void refuse_second_derivative();

struct CF_EXPORT RelationGradients : NetGradients {
  /// [2]: by B / A and D / C, at fixed A and C; undefined unless relation.form.learned.
  at::Tensor ratios;
};

/// Gradients of  sum y_bar.y + sum_b c_b log_det_b.  `y_bar` [b, d] and `c` [b] may be undefined.
/// The result's `w` is the gradient with respect to x.
CF_EXPORT RelationGradients relation_gradients(const BlockRelation& relation,
                                               const RelationResult& saved,
                                               const at::Tensor& condition, const at::Tensor& y_bar,
                                               const at::Tensor& c);

}  // namespace contraflow
