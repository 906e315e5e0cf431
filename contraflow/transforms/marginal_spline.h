#pragma once

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

struct MarginalFit;
struct MarginalCurves;

struct MarginalSplineOptions {
  /// Columns of a row.
  EventShape event = {};
  /// Knots of a column, 0 for an affine map: one number for all columns, or one per column.
  std::vector<int64_t> knots = {64};
  /// Whether the curves are trained with the flow; otherwise they stay as the data set them.
  bool train = true;
};

template <class Field>
void visit(MarginalSplineOptions& o, Field&& field) {
  field("event", o.event, non_empty(), "Columns of a row.");
  field("knots", o.knots, non_empty() && closed_interval(0, 65536),
        "Knots of a column, 0 for an affine map: one number for all columns, or one per column.");
  field("train", o.train, "Train the curves with the flow.");
}
CF_EXPORT void validate(const MarginalSplineOptions& options);

/// A monotone curve for each column, from the data's own quantiles to normal scores: what a flow in
/// front of it would have to bend for tails, lattices and gaps of single columns is done already.
///   z_d = f_d(x_d),  f_d rational quadratic between knots, logarithmic beyond them.
///
/// Shapes     x, z: [B, D].  log_det: [B].  context: none.
/// Types      float32, float64, computed in float64; outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det = sum_d log f_d'(x_d), in nats.
/// Inverse    explicit, on the whole line. Where a curve is flat, an error in z of one rounding is
///            one of 1 / slope roundings in x.
/// Log-det    exact.
/// Cost       a binary search and some fifty operations a number. The first prepare() sorts x.
/// Random     none.
/// State      the first prepare() sets knots, heights and slopes from x (marginal_fit.h), so it
///            wants the training rows, not a batch; the buffer `initialized` (0 or 1) records it.
///            Before, the map is the identity. The parameters are what training adds to the
///            logarithms of rises, slopes and tail weights, and to the heights. All are 0 at
///            first, and any finite values give a monotone map: a logarithm moves by less than 8.
/// Threads    const members may run concurrently; prepare() needs exclusive access.
/// Throws     ShapeError, DtypeError; ConfigError (not a row; one knot); DomainError from the first
///            prepare (constant column, or one row); InverseUnavailable (second derivatives).
/// Source     Gregory and Delbourgo 1982, IMA J. Numer. Anal. 2; normal scores: Blom 1958.
/// Example    MarginalSpline map({.event = 6, .knots = {64}});   map.prepare(train);
class CF_EXPORT MarginalSpline final : public Transform {
 public:
  using Options = MarginalSplineOptions;
  static constexpr const char* kType = "marginal_spline";
  static constexpr const char* kSummary = "each column to normal scores by a monotone spline";
  static constexpr const char* kSource = "Gregory and Delbourgo 1982";

  explicit MarginalSpline(MarginalSplineOptions options);

  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  nlohmann::ordered_json spec() const override;
  bool prepare_needs_data() const override;
  bool increasing() const override { return true; }
  std::vector<std::string> feature_notes() const override;

 private:
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;
  void do_prepare(const at::Tensor& x, const Context& context) override;

  void register_state();
  void index_columns();
  void set_column(int64_t column, const MarginalFit& fit);
  MarginalCurves curves() const;

  MarginalSplineOptions options_;
  // T knots and R = T - D rises in all, S columns with a spline. Column d has knots
  // first_knot_[d] ... first_knot_[d + 1] - 1.
  std::vector<int64_t> first_knot_;
  std::vector<int64_t> tail_of_;  // [D]: its place among the S, -1 for affine columns
  // What gathers the parts of curves(), int64.
  at::Tensor step_index_, middle_, column_, tail_index_;

  at::Tensor initialized_;           // [], 0 or 1
  at::Tensor place_;                 // [T]; merged knots repeat the last place
  at::Tensor fitted_height_;         // [D], of the middle knot
  at::Tensor fitted_rise_, rise_;    // [R], logarithms: as fitted, and what is added
  at::Tensor fitted_slope_, slope_;  // [T], logarithms
  at::Tensor fitted_tail_, tail_;    // [2 S], logarithms
  at::Tensor height_;                // [D]
};

}  // namespace contraflow
