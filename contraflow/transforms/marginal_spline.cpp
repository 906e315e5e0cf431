#include "contraflow/transforms/marginal_spline.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "contraflow/core/check.h"
#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/feature_statistics.h"
#include "contraflow/transforms/marginal_curves.h"
#include "contraflow/transforms/marginal_fit.h"

namespace contraflow {
namespace {

// Logarithm of the weight of a straight tail, as good as 0 for every distance.
constexpr double kStraight = -700.0;

// Smooth, and a at small a: so far training can move a logarithm.
at::Tensor bounded(const at::Tensor& a) {
  constexpr double kFarthest = 8.0;
  return (a.to(at::kDouble) / kFarthest).tanh() * kFarthest;
}

// 0, then exp(fitted + added), for gathering.
at::Tensor after_zero(const at::Tensor& fitted_log, const at::Tensor& added,
                      const at::TensorOptions& kind) {
  const at::Tensor zero = at::zeros({1}, kind);
  if (!fitted_log.defined()) return zero;
  return at::cat({zero, (fitted_log.to(at::kDouble) + bounded(added)).exp()});
}

void copy_part(const at::Tensor& to, int64_t from, const std::vector<double>& values) {
  to.slice(0, from, from + std::ssize(values)).copy_(at::tensor(values, at::kDouble));
}

}  // namespace

void validate(const MarginalSplineOptions& options) {
  if (!options.event.is_row()) {
    fail<ConfigError>("MarginalSpline", "event", "columns of a row", options.event.text(),
                      "Images are integers: use marginal_dequantize, or flatten them.");
  }
  const int64_t columns = options.event.features();
  if (const auto count = std::ssize(options.knots); count != 1 && count != columns) {
    fail<ConfigError>("MarginalSpline", "knots", c10::str("1 or ", columns, " values"),
                      c10::str(count, " values"),
                      "Give one value for all columns or one per column.");
  }
  if (std::find(options.knots.begin(), options.knots.end(), 1) != options.knots.end()) {
    fail<ConfigError>("MarginalSpline", "knots", "0, or 2 and more", "1",
                      "One knot makes no piece; 0 is the affine map.");
  }
}

MarginalSpline::MarginalSpline(MarginalSplineOptions options)
    : options_(checked(std::move(options), "MarginalSpline")) {
  first_knot_ = {0};
  int64_t splines = 0;
  for (int64_t d = 0; d < options_.event.features(); ++d) {
    const int64_t knots = options_.knots[options_.knots.size() == 1 ? 0 : static_cast<size_t>(d)];
    first_knot_.push_back(first_knot_.back() + std::max<int64_t>(knots, 1));
    tail_of_.push_back(knots == 0 ? -1 : splines++);
  }
  index_columns();
  register_state();
}

void MarginalSpline::index_columns() {
  std::vector<int64_t> step, middle, column, tail;
  int64_t rises = 0;
  for (size_t d = 0; d < tail_of_.size(); ++d) {
    const int64_t first = first_knot_[d], knots = first_knot_[d + 1] - first;
    for (int64_t k = 0; k < knots; ++k) {
      step.push_back(k == 0 ? 0 : ++rises);  // entry 0 of what they gather from is zero
      middle.push_back(first + knots / 2);
      column.push_back(static_cast<int64_t>(d));
    }
    for (int64_t side = 0; side < 2; ++side)
      tail.push_back(tail_of_[d] < 0 ? 0 : 1 + 2 * tail_of_[d] + side);
  }
  step_index_ = at::tensor(step, at::kLong);
  middle_ = at::tensor(middle, at::kLong);
  column_ = at::tensor(column, at::kLong);
  tail_index_ = at::tensor(tail, at::kLong);
}

void MarginalSpline::register_state() {
  const auto columns = std::ssize(tail_of_);
  const int64_t knots = first_knot_.back(), rises = knots - columns;
  const int64_t tails = 2 * (1 + *std::max_element(tail_of_.begin(), tail_of_.end()));
  const auto add = [this](const char* name, int64_t count) {
    return register_parameter(name, at::zeros({count}), options_.train);
  };
  height_ = add("height", columns);
  slope_ = add("slope", knots);
  initialized_ = register_buffer("initialized", at::zeros({}));
  place_ = register_buffer("place", at::zeros({knots}));
  fitted_height_ = register_buffer("fitted_height", at::zeros({columns}));
  fitted_slope_ = register_buffer("fitted_slope", at::zeros({knots}));
  if (tails == 0) return;  // affine columns only: an empty parameter would have no gradient
  rise_ = add("rise", rises);
  tail_ = add("tail", tails);
  fitted_rise_ = register_buffer("fitted_rise", at::zeros({rises}));
  fitted_tail_ = register_buffer("fitted_tail", at::full({tails}, kStraight));
}

nlohmann::ordered_json MarginalSpline::spec() const { return spec_of<MarginalSpline>(options_); }

std::vector<std::string> MarginalSpline::feature_notes() const {
  std::vector<std::string> out;
  for (size_t d = 0; d < tail_of_.size(); ++d) {
    const int64_t knots = first_knot_[d + 1] - first_knot_[d];
    out.push_back(tail_of_[d] < 0 ? "straight" : c10::str("curve of ", knots, " knots"));
  }
  return out;
}

bool MarginalSpline::prepare_needs_data() const { return initialized_.item<double>() == 0.0; }

MarginalCurves MarginalSpline::curves() const {
  const at::Tensor place = place_.to(at::kDouble);
  const auto at_device = [&](const at::Tensor& index) { return index.to(place.device()); };
  const at::Tensor order = at::arange(place.numel(), at_device(step_index_).options());
  // Merged knots share a place: they do not rise, and have the slope of the first of them.
  const at::Tensor fresh = place.gt(place.roll(1)).logical_or(at_device(step_index_).eq(0));
  const at::Tensor first = std::get<0>(at::where(fresh, order, 0).cummax(0));
  const at::Tensor slope = (fitted_slope_.to(at::kDouble) + bounded(slope_)).exp();
  const at::Tensor rise = after_zero(fitted_rise_, rise_, place.options());
  const at::Tensor sum =
      at::where(fresh, rise.index_select(0, at_device(step_index_)), 0.0).cumsum(0);
  const at::Tensor middle = fitted_height_.to(at::kDouble) + height_.to(at::kDouble);
  return {
      place,
      sum - sum.index_select(0, at_device(middle_)) + middle.index_select(0, at_device(column_)),
      slope.index_select(0, first),
      after_zero(fitted_tail_, tail_, place.options())
          .index_select(0, at_device(tail_index_))
          .view({-1, 2}),
      first_knot_};
}

TransformOutput MarginalSpline::do_forward(const at::Tensor& x, const Context& /*context*/) const {
  const CurvesOutput out = map_curves(curves(), x, /*inverse=*/false);
  return {out.value, out.log_det, {}, {}};
}

TransformOutput MarginalSpline::do_inverse(const at::Tensor& z, const Context& /*context*/) const {
  const CurvesOutput out = map_curves(curves(), z, /*inverse=*/true);
  return {out.value, out.log_det, {}, {}};
}

void MarginalSpline::do_prepare(const at::Tensor& x, const Context& /*context*/) {
  if (!prepare_needs_data()) return;
  check_finite("MarginalSpline.prepare", "x", x);
  feature_statistics("MarginalSpline.prepare", x);  // names a constant column
  const at::Tensor sorted = std::get<0>(x.to(at::kCPU, at::kDouble).t().contiguous().sort(1));
  const double roundoff = x.scalar_type() == at::kFloat ? std::numeric_limits<float>::epsilon()
                                                        : std::numeric_limits<double>::epsilon();
  for (int64_t d = 0; d < sorted.size(0); ++d) {
    const auto c = static_cast<size_t>(d);
    const int64_t knots = tail_of_[c] < 0 ? 0 : first_knot_[c + 1] - first_knot_[c];
    set_column(d, fit_marginal(sorted[d], knots, roundoff));
  }
  initialized_.fill_(1.0);
}

void MarginalSpline::set_column(int64_t column, const MarginalFit& fit) {
  const auto d = static_cast<size_t>(column);
  const int64_t first = first_knot_[d], knots = first_knot_[d + 1] - first;
  const auto count = static_cast<size_t>(knots), left = fit.place.size();
  std::vector<double> place = fit.place, slope, rise(count - 1, 0.0);
  place.resize(count, place.back());
  for (size_t k = 0; k < count; ++k) slope.push_back(std::log(fit.slope[std::min(k, left - 1)]));
  for (size_t k = 0; k + 1 < left; ++k) rise[k] = std::log(fit.height[k + 1] - fit.height[k]);
  copy_part(place_, first, place);
  copy_part(fitted_slope_, first, slope);
  copy_part(fitted_height_, column, {fit.height[std::min(count / 2, left - 1)]});
  if (tail_of_[d] < 0) return;
  copy_part(fitted_rise_, first - column, rise);
  copy_part(fitted_tail_, 2 * tail_of_[d], {std::log(fit.left), std::log(fit.right)});
}

}  // namespace contraflow
