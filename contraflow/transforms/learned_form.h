#pragma once

#include <torch/nn/module.h>

#include <array>

#include "contraflow/core/export.h"
#include "contraflow/log_det/block_form.h"

namespace contraflow {

/// The matrix of a contractive block as parameters.
///
///   B / A = m tanh(artanh(start / m) + offset_0),   D / C likewise with offset_1,   m =
///   kappa^-1/2.
///
/// A and C stay as they start. What they would scale is scaled elsewhere: a common factor of the
/// whole matrix is a change of unit of w, which the network undoes, and C / A is what ActNorm and
/// standardisation train. Both ratios stay below m for any offset, so that both solves contract by
/// at most sqrt(kappa) < 1: admissible always, with at most twice the iterations of ratio 1.
///
/// Parameters  offset [2]: 0 at the start, where the form is the one that was given (to rounding).
/// Gradient    vanishes as a ratio comes close to m; offsets beyond +-20 are saturated.
/// Throws      ConfigError when the start has a ratio of m or more.
/// Why         docs/decisions/0013-learned-forms.md
class CF_EXPORT LearnedForm final : public torch::nn::Module {
 public:
  LearnedForm(const BlockForm& start, double kappa);

  /// The matrix now, marked as learned.
  BlockForm form() const;
  /// The admissible form that the series and the solves like least: both ratios at m.
  BlockForm widest() const;

  const at::Tensor& offset() const { return offset_; }
  /// Gradient with respect to offset from that with respect to (B / A, D / C), both [2].
  at::Tensor offset_gradient(const at::Tensor& ratios) const;

 private:
  std::array<double, 2> ratios() const;

  BlockForm start_;
  double most_;  ///< m
  at::Tensor offset_;
};

}  // namespace contraflow
