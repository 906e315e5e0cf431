#include "contraflow/transforms/column_map.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/feature_bounds.h"

namespace contraflow {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Noise stays this part of a step away from both of its ends, so that rounding in float32 behind
/// this map moves few numbers into the next cell.
constexpr double kGap = 0x1p-20;

at::Tensor on(const at::Tensor& constants, const at::Tensor& x) {
  return constants.to(x.device(), /*non_blocking=*/true);
}

// A column of steps up to b reaches one step further with its noise.
double top_of(const ColumnInfo& column) {
  return column.high().value_or(kInfinity) + (column.whole() ? column.step : 0.0);
}

// Steps in one unit, exact where the step is a decimal fraction: 3 / 10 is 0.3, 3 * 0.1 is not.
double steps_per_unit(double step) {
  const double count = 1.0 / step;
  const double nearest = std::round(count);
  return nearest > 0.0 && std::abs(count - nearest) < 1e-9 * count ? nearest : count;
}

bool is_above(const ColumnInfo& c) { return c.low() && !c.high(); }
bool is_below(const ColumnInfo& c) { return !c.low() && c.high(); }
bool is_between(const ColumnInfo& c) { return c.low() && c.high(); }

at::Tensor doubles(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

/// A part of the row replaced, and what that adds to the log-determinant [B].
struct Replaced {
  at::Tensor row;
  at::Tensor log_det;
};

Replaced replace(const at::Tensor& row, const at::Tensor& index, const at::Tensor& value,
                 const at::Tensor& log_slope, const at::Tensor& log_det) {
  return {row.index_copy(1, index, value), log_det + log_slope.sum(1)};
}

}  // namespace

ColumnMap::ColumnMap(ColumnMapOptions options)
    : options_(checked(std::move(options), "ColumnMap")) {
  std::vector<double> center, scale, per_unit, noise;
  std::vector<int64_t> whole;
  for (const ColumnInfo& column : options_.columns) {
    const bool levels = column.levels > 0;
    if (column.whole()) {
      whole.push_back(std::ssize(center));
      per_unit.push_back(steps_per_unit(column.step));
      noise.push_back(levels ? 0.0 : 1.0);
    }
    // Levels are numbered: their masses have no volume.
    center.push_back(levels ? column.lower.value_or(0.0) : column.center);
    scale.push_back(levels ? column.step : column.scale);
    // Probabilities of cells, not densities over them: the volume of a cell counts as 1.
    if (!levels)
      log_scale_ += std::log(column.scale) - (column.whole() ? std::log(column.step) : 0);
  }
  center_ = doubles(center);
  scale_ = doubles(scale);
  if (!whole.empty()) {
    whole_ = at::tensor(whole, at::kLong);
    per_unit_ = doubles(per_unit);
    noise_ = doubles(noise);
    has_noise_ = noise_.any().item<bool>();
  }
  above_ = group_of(is_above);
  below_ = group_of(is_below);
  between_ = group_of(is_between);
}

ColumnMap::Group ColumnMap::group_of(Belongs belongs) const {
  std::vector<int64_t> index;
  std::vector<double> low, high, edge;
  for (size_t c = 0; c < options_.columns.size(); ++c) {
    const ColumnInfo& column = options_.columns[c];
    if (!belongs(column)) continue;
    index.push_back(static_cast<int64_t>(c));
    low.push_back(column.low().value_or(-kInfinity));
    high.push_back(top_of(column));
    edge.push_back(column.edge);
  }
  if (index.empty()) return {};
  return {at::tensor(index, at::kLong), doubles(low), doubles(high), doubles(edge)};
}

nlohmann::ordered_json ColumnMap::spec() const { return spec_of<ColumnMap>(options_); }

Randomness ColumnMap::randomness(Phase /*phase*/) const {
  return has_noise_ ? Randomness::kUnbiased : Randomness::kNone;
}

std::optional<double> ColumnMap::forward_lipschitz() const {
  if (above_.index.defined() || below_.index.defined() || between_.index.defined()) {
    return std::nullopt;
  }
  return 1.0 / scale_.min().item<double>();
}

std::optional<double> ColumnMap::inverse_lipschitz() const {
  const bool affine = forward_lipschitz().has_value() && !whole_.defined();
  return affine ? std::optional(scale_.max().item<double>()) : std::nullopt;
}

void ColumnMap::check_values(const at::Tensor& x) const {
  if (whole_.defined()) {
    const at::Tensor steps = x.index_select(1, on(whole_, x)) * on(per_unit_, x);
    at::Tensor bad = at::zeros_like(x, at::kBool);
    bad.index_copy_(1, on(whole_, x), are_broken_steps(steps));
    check_none_bad("ColumnMap.forward", x, bad, "a whole number of steps",
                   "Correct the row, or call the column continuous.");
  }
  std::vector<double> low, high;
  for (const ColumnInfo& column : options_.columns) {
    low.push_back(column.least().value_or(-kInfinity));
    high.push_back(column.most().value_or(kInfinity));
  }
  const auto is_infinite = [](double bound) { return std::isinf(bound); };
  if (std::all_of(low.begin(), low.end(), is_infinite) &&
      std::all_of(high.begin(), high.end(), is_infinite)) {
    return;
  }
  const at::Tensor outside = x.lt(on(doubles(low), x)).logical_or(x.gt(on(doubles(high), x)));
  check_none_bad("ColumnMap.forward", x, outside, "a value within the bounds of its column",
                 "There is no density outside of them; widen the bounds, or remove the row.");
}

at::Tensor ColumnMap::with_noise(const at::Tensor& x, const Rng& rng) const {
  const at::TensorOptions options = x.options().requires_grad(false);
  const at::Tensor u = rng.uniform({x.size(0), whole_.size(0)}, options).clamp(kGap, 1.0 - kGap);
  return x.index_add(1, on(whole_, x), u * on(noise_ / per_unit_, x));
}

at::Tensor ColumnMap::without_noise(const at::Tensor& x) const {
  const at::Tensor index = on(whole_, x), per_unit = on(per_unit_, x);
  const at::Tensor steps = x.index_select(1, index) * per_unit;
  // Levels come back as they are, up to rounding.
  const at::Tensor whole = at::where(on(noise_, x).gt(0), steps.floor(), steps.round());
  return x.index_copy(1, index, whole / per_unit);
}

TransformOutput ColumnMap::do_forward(const at::Tensor& x, const Context& context) const {
  at::Tensor row = x.to(at::kDouble);
  check_values(row.detach());
  if (has_noise_) row = with_noise(row, context.rng);
  at::Tensor log_det = at::full({x.size(0)}, -log_scale_, row.options().requires_grad(false));
  const auto use = [&](const Group& group, const auto& formula) {
    if (!group.index.defined()) return;
    const at::Tensor index = on(group.index, row), edge = on(group.edge, row);
    const at::Tensor value = row.index_select(1, index);
    const auto distance = [&](const at::Tensor& d) { return at::where(d.le(0), edge, d); };
    const auto [v, log_slope] =
        formula(distance(value - on(group.low, row)), distance(on(group.high, row) - value));
    const Replaced out = replace(row, index, v, log_slope, log_det);
    row = out.row;
    log_det = out.log_det;
  };
  // Distances from the bounds that there are; a value on a bound is `edge` away from it.
  use(above_, [](const at::Tensor& low, const at::Tensor& /*high*/) {
    const at::Tensor v = low.log();
    return std::pair{v, -v};
  });
  use(below_, [](const at::Tensor& /*low*/, const at::Tensor& high) {
    const at::Tensor v = -high.log();
    return std::pair{v, v};
  });
  use(between_, [](const at::Tensor& low, const at::Tensor& high) {
    const at::Tensor a = low.log(), b = high.log();
    return std::pair{a - b, (low + high).log() - a - b};
  });
  const at::Tensor z = (row - on(center_, row)) / on(scale_, row);
  return {z.to(x.scalar_type()), log_det.to(x.scalar_type()), {}, {}};
}

TransformOutput ColumnMap::do_inverse(const at::Tensor& z, const Context& /*context*/) const {
  at::Tensor row = z.to(at::kDouble);
  row = row * on(scale_, row) + on(center_, row);
  at::Tensor log_det = at::full({z.size(0)}, log_scale_, row.options().requires_grad(false));
  const auto use = [&](const Group& group, const auto& formula) {
    if (!group.index.defined()) return;
    const at::Tensor index = on(group.index, row);
    const at::Tensor low = on(group.low, row), high = on(group.high, row);
    const auto [x, log_slope] = formula(row.index_select(1, index), low, high);
    const at::Tensor inside =
        at::minimum(at::maximum(x, at::nextafter(low, at::full_like(low, kInfinity))),
                    at::nextafter(high, at::full_like(high, -kInfinity)));
    const Replaced out = replace(row, index, inside, log_slope, log_det);
    row = out.row;
    log_det = out.log_det;
  };
  use(above_, [](const at::Tensor& v, const at::Tensor& low, const at::Tensor& /*high*/) {
    return std::pair{low + v.exp(), v};
  });
  use(below_, [](const at::Tensor& v, const at::Tensor& /*low*/, const at::Tensor& high) {
    return std::pair{high - (-v).exp(), -v};
  });
  // From the nearer bound, which has the digits.
  use(between_, [](const at::Tensor& v, const at::Tensor& low, const at::Tensor& high) {
    const at::Tensor range = high - low, p = v.sigmoid(), q = (-v).sigmoid();
    return std::pair{at::where(v.lt(0), low + range * p, high - range * q),
                     range.log() + at::log_sigmoid(v) + at::log_sigmoid(-v)};
  });
  if (whole_.defined()) row = without_noise(row);
  return {row.to(z.scalar_type()), log_det.to(z.scalar_type()), {}, {}};
}

}  // namespace contraflow
