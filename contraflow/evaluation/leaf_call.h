#pragma once

#include <optional>
#include <string>
#include <vector>

#include "contraflow/log_det/block_form.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

/// One leaf's call of a trace, kept.
struct LeafCall {
  std::string name;
  const Transform* transform;  ///< Lives as long as the flow.
  Context context;
  bool inverse;
  at::Tensor input, output;
  at::Tensor own_error;             ///< [B] or undefined: certified bound on that of its own solve.
  std::optional<double> lipschitz;  ///< Of the map that was called.
  bool bijective = true;  ///< And behind the data side, so that its errors are in standard units.
};

/// The calls that the leaves get while `transform` (or its inverse) runs, in order; `end`, where it is
/// asked for, gets the value of the whole, which several leaves may have parts of.
std::vector<LeafCall> calls_of(const Transform& transform, const at::Tensor& x,
                               const Context& context, bool inverse, at::Tensor* end = nullptr);

/// The point w of a block's call as rows [B, d]: x = A w + B G(w) and y = C w + D G(w) are two equations
/// for w and G(w), with the matrix `form` of the block.
at::Tensor hidden_rows(const BlockForm& form, const TracedCall& call);

/// Euclidean, over all axes of an event: [B].
at::Tensor event_norm(const at::Tensor& events);

/// `bound` in float64; zeros where it is undefined, which means rounding only.
at::Tensor or_zero(const at::Tensor& bound, const at::Tensor& like);

/// What a map between x and y adds by its own rounding, which no bound of a solve counts: [B].
at::Tensor rounding(const at::Tensor& x, const at::Tensor& y);

}  // namespace contraflow
