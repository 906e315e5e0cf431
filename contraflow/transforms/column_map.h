#pragma once

#include <vector>

#include "contraflow/core/column_info.h"
#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

struct ColumnMapOptions {
  /// One entry per column of the row, in its order.
  std::vector<ColumnInfo> columns = {};
};

template <class Field>
void visit(ColumnMapOptions& o, Field&& field) {
  field("columns", o.columns, non_empty(), "What is known about each column, in order.");
}

/// The columns of a table to standardised numbers on the whole line, each by its kind:
///   z = (v - center) / scale,   v = x,  log(x - lower),  -log(upper - x)  or
///   log(x - lower) - log(upper - x);  whole numbers (and other steps) get noise first, x + u step.
/// It comes first in a flow and computes in float64 whatever the rest of the flow has, so that
/// neither an offset nor a unit costs digits: a chain casts what it gives.
///
/// Shapes     x, z: [B, D].  log_det: [B].  context: none.
/// Types      float32, float64; arithmetic in float64, outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det = log|det dz/dx|, in nats: densities are those of
///            the columns as the file has them. A cell of a column in steps counts as volume 1, so
///            that E[log p(z)] + log_det is a lower bound on the row's log-probability.
/// Inverse    explicit; inside the bounds, never on them; whole numbers by floor(). It undoes every
///            forward; with whole numbers forward does not undo it.
/// Log-det    exact.  The density over a bounded column integrates to 1 on its bounds.
/// Cost       a few passes over x.
/// Random     u from context.rng, for whole columns only.
/// Threads    const members may run concurrently.
/// Throws     ShapeError, DtypeError; DomainError (a value outside of its bounds, a fraction in a
///            column of whole numbers: value, row, column).
/// Source     Dinh et al. 2017, Real NVP, section 4.1, arXiv:1605.08803 (logit); Theis et al. 2016,
///            section 3.1, arXiv:1511.01844 (noise).
/// Example    ColumnMap map({.columns = {{.center = 1.7e9, .scale = 60}, {.kind =
///            ColumnKind::kCount}}});
class CF_EXPORT ColumnMap final : public Transform {
 public:
  using Options = ColumnMapOptions;
  static constexpr const char* kType = "columns";
  static constexpr const char* kSummary =
      "columns of a table, each by its kind, to standardised numbers, in float64";
  static constexpr const char* kSource = "Dinh et al. 2017, arXiv:1605.08803";

  explicit ColumnMap(ColumnMapOptions options);

  std::vector<int64_t> event_shape() const override { return {std::ssize(options_.columns)}; }
  nlohmann::ordered_json spec() const override;
  std::optional<double> forward_lipschitz() const override;
  std::optional<double> inverse_lipschitz() const override;
  Randomness randomness(Phase phase) const override;
  bool bijective() const override { return !has_noise_; }
  bool data_side() const override { return true; }

 private:
  /// Columns that share a formula, with their constants as rows [n] in float64.
  struct Group {
    at::Tensor index;  ///< [n]; undefined: no such column.
    at::Tensor low, high, edge;
  };
  using Belongs = bool (*)(const ColumnInfo&);

  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;
  Group group_of(Belongs belongs) const;
  void check_values(const at::Tensor& x) const;
  at::Tensor with_noise(const at::Tensor& x, const Rng& rng) const;
  at::Tensor without_noise(const at::Tensor& x) const;

  ColumnMapOptions options_;
  at::Tensor center_, scale_;  ///< [D], float64
  at::Tensor whole_;           ///< Places of columns in steps; undefined: none.
  at::Tensor per_unit_;        ///< Steps in one unit, one per place.
  at::Tensor noise_;           ///< 1 where a place gets noise, 0 where it has levels.
  bool has_noise_ = false;
  Group above_, below_, between_;
  double log_scale_ = 0.0;  ///< Sum over the columns.
};

}  // namespace contraflow
