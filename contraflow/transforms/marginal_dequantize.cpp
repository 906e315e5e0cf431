#include "contraflow/transforms/marginal_dequantize.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

#include "contraflow/core/number_text.h"
#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/feature_bounds.h"

namespace contraflow {
namespace {

// No mass is less: a cell between scores of +-4 then holds some twenty float32 numbers.
constexpr double kLeastMass = 0x1p-20;

// Phi^-1 of the probability below, or of that above where that is the smaller: near 1 a probability
// has lost its digits.
at::Tensor score(const at::Tensor& below, const at::Tensor& above) {
  const at::Tensor z = at::special_ndtri(at::minimum(below, above));
  return at::where(below.le(above), z, -z);
}

// A number that rises with the probability below, and keeps the digits of both ends: that of the
// lower half from the one below, of the upper half from the one above.
at::Tensor ordered(const at::Tensor& below, const at::Tensor& above, const at::Tensor& lower) {
  return at::where(lower, -1.0 / below, 1.0 / above);
}

// Index [T, N] of the last of each row's increasing numbers [T, L] that is not after v [T, N], 0 if
// all are. A bisection: at::searchsorted takes ten times as long on many short rows.
at::Tensor last_at_or_before(const at::Tensor& sorted, const at::Tensor& v) {
  const int64_t count = sorted.size(1);
  at::Tensor out = at::zeros(v.sizes(), v.options().dtype(at::kLong));
  for (auto step = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(count))) / 2; step > 0;
       step /= 2) {
    const at::Tensor next = out + step;
    const at::Tensor reached =
        sorted.gather(1, next.clamp_max(count - 1)).le(v).logical_and(next.lt(count));
    out = at::where(reached, next, out);
  }
  return out;
}

at::Tensor log_normal_density(const at::Tensor& z) {
  return z.square() * -0.5 - 0.5 * std::log(2.0 * std::numbers::pi);
}

}  // namespace

// Where the cells begin and end: probabilities summed from the nearer side.
struct MarginalDequantize::Table {
  at::Tensor mass;   // [T, L]
  at::Tensor below;  // [T, L]: of all lower levels
  at::Tensor above;  // [T, L]: of all higher ones

  explicit Table(const at::Tensor& masses)
      : mass(masses),
        below(masses.cumsum(1).roll(1, 1)),
        above(masses.flip(1).cumsum(1).roll(1, 1).flip(1)) {
    below.select(1, 0).zero_();
    above.select(1, -1).zero_();
  }
  // The level whose cell holds each score.
  at::Tensor level(const at::Tensor& z_tn) const {
    const at::Tensor from_start = above.roll(1, 1);
    from_start.select(1, 0).fill_(1.0);
    const at::Tensor nearer = at::special_ndtr(z_tn.abs().neg());
    return last_at_or_before(ordered(below, from_start, below.lt(from_start)),
                             ordered(nearer, nearer, z_tn.lt(0.0)));
  }
};

void validate(const MarginalDequantizeOptions& options) {
  if (options.shared && options.table == MassTable::kPixel) {
    fail<ConfigError>("MarginalDequantize", "shared", "false with table = 'pixel'", "true",
                      "Drop it: table says it all.");
  }
  const bool shared = options.shared || options.table == MassTable::kShared;
  if (!shared || std::adjacent_find(options.levels.begin(), options.levels.end(),
                                    std::not_equal_to<>()) == options.levels.end())
    return;
  fail<ConfigError>("MarginalDequantize", "table", "one number of levels for a shared table",
                    c10::str(at::IntArrayRef(options.levels)),
                    "Set table = 'channel', or give all columns the same levels.");
}

MarginalDequantize::MarginalDequantize(MarginalDequantizeOptions options)
    : options_(checked(std::move(options), "MarginalDequantize")) {
  const std::vector<double> levels(options_.levels.begin(), options_.levels.end());
  levels_ = per_feature("MarginalDequantize", "levels", levels, options_.event.features());
  if (options_.table == MassTable::kPixel)
    levels_ = levels_.repeat_interleave(options_.event.pixels());
  levels_ = levels_.unsqueeze(1);
  const auto most = static_cast<int64_t>(std::max(levels_.max().item<double>(), 1.0));
  initialized_ = register_buffer("initialized", at::zeros({}));
  const at::Tensor real = at::arange(most, at::kDouble).lt(levels_.clamp_min(1.0));
  mass_ = register_buffer("mass", (real / levels_.clamp_min(1.0)).to(at::kFloat));
}

bool MarginalDequantize::shared() const {
  return options_.shared || options_.table == MassTable::kShared;
}

std::vector<std::string> MarginalDequantize::feature_notes() const {
  constexpr int64_t kMostNumbers = 8;
  if (!options_.event.is_row()) return {};  // of columns only: pixels are too many to read
  const at::Tensor mass = masses().to(at::kCPU);
  std::vector<std::string> out;
  for (int64_t c = 0; c < mass.size(0); ++c) {
    const auto levels = static_cast<int64_t>(levels_[c][0].item<double>());
    const at::Tensor own = mass[c].narrow(0, 0, std::max<int64_t>(levels, 1));
    std::string text = "masses";
    for (int64_t k = 0; k < levels && levels <= kMostNumbers; ++k)
      text += " " + fixed(own[k].item<double>(), 3);
    if (levels > kMostNumbers)
      text += c10::str(" from ", brief(own.min().item<double>()), " to ",
                       brief(own.max().item<double>()));
    out.push_back(levels == 0 ? "" : text);
  }
  return out;
}

nlohmann::ordered_json MarginalDequantize::spec() const {
  return spec_of<MarginalDequantize>(options_);
}

bool MarginalDequantize::prepare_needs_data() const { return initialized_.item<double>() == 0.0; }

// What rounding to float32 left is divided by its sum.
at::Tensor MarginalDequantize::masses() const {
  const at::Tensor mass = mass_.to(at::kDouble);
  return mass / mass.sum(1, /*keepdim=*/true);
}

at::Tensor MarginalDequantize::by_table(const at::Tensor& x) const {
  const at::Tensor rows = options_.table == MassTable::kPixel ? x.flatten(1) : x;
  return rows.movedim(1, 0).reshape({levels_.size(0), -1});
}

at::Tensor MarginalDequantize::by_event(const at::Tensor& x_tn, int64_t rows) const {
  const std::vector<int64_t>& event = options_.event.sizes();
  std::vector<int64_t> sizes{rows};
  sizes.insert(sizes.end(), event.begin(), event.end());
  if (options_.table == MassTable::kPixel) return x_tn.t().reshape(sizes).contiguous();
  std::vector<int64_t> by_channel = event;
  by_channel.insert(by_channel.begin() + 1, rows);
  return x_tn.reshape(by_channel).movedim(0, 1).contiguous();
}

void MarginalDequantize::check_levels(const at::Tensor& x_tn, const at::Tensor& x) const {
  const at::Tensor levels = levels_.to(x.device());
  const at::Tensor bad = x_tn.ne(x_tn.round())
                             .logical_or(x_tn.lt(0.0))
                             .logical_or(x_tn.ge(levels))
                             .logical_and(levels.gt(0.0));
  check_none_bad("MarginalDequantize", x, by_event(bad, x.size(0)), "integers from 0 to levels - 1",
                 "Set `levels` to the largest value plus one (0 for a column that is not of "
                 "integers), or round the data; rows and columns count from 0.");
}

at::Tensor MarginalDequantize::log_det(const Table& table, const at::Tensor& level_tn,
                                       const at::Tensor& z_tn, int64_t rows) const {
  const at::Tensor of_cell = table.mass.gather(1, level_tn).log() - log_normal_density(z_tn);
  return by_event(at::where(levels_.to(z_tn.device()).gt(0.0), of_cell, 0.0), rows)
      .flatten(1)
      .sum(1);
}

TransformOutput MarginalDequantize::do_forward(const at::Tensor& x, const Context& context) const {
  const at::Tensor x_tn = by_table(x.detach()).to(at::kDouble);
  check_levels(x_tn, x.detach());
  const at::Tensor whole = levels_.to(x.device()).gt(0.0);
  const Table table(masses());
  const at::Tensor level = at::where(whole, x_tn, 0.0).to(at::kLong);
  const at::Tensor mass = table.mass.gather(1, level);
  // Rounding moves z by |z| epsilon / 2, and Phi(z) by less than epsilon / 8, since |z| phi(z) is
  // less than 1/4; twice, since the inverse rounds too. In float64 Phi^-1 errs by more than
  // rounding.
  const double epsilon = x.scalar_type() == at::kFloat
                             ? std::numeric_limits<float>::epsilon()
                             : 64.0 * std::numeric_limits<double>::epsilon();
  const at::Tensor gap = (0.25 * epsilon / mass).clamp_max(0.25);
  const at::Tensor drawn = by_table(context.rng.uniform(x.sizes(), mass.options()));
  const at::Tensor u = at::minimum(at::maximum(drawn, gap), 1.0 - gap);
  const at::Tensor z_tn = score(table.below.gather(1, level) + u * mass,
                                table.above.gather(1, level) + (1.0 - u) * mass)
                              .to(x.scalar_type());
  at::Tensor z = by_event(at::where(whole, z_tn, by_table(x)), x.size(0));
  at::Tensor z_wide = by_table(z).to(at::kDouble);
  if (x.requires_grad()) {
    // As a map of x + u, of which x is the integer part, z rises by mass / phi(z).
    const at::Tensor slope =
        at::where(whole, mass / log_normal_density(z_wide.detach()).exp(), 0.0);
    z = z + by_event(slope, x.size(0)).to(x.scalar_type()) * (x - x.detach());
    z_wide = by_table(z).to(at::kDouble);
  }
  return {z, log_det(table, level, z_wide, x.size(0)).to(x.scalar_type()), {}, {}};
}

TransformOutput MarginalDequantize::do_inverse(const at::Tensor& z,
                                               const Context& /*context*/) const {
  const at::Tensor whole = levels_.to(z.device()).gt(0.0);
  const Table table(masses());
  const at::Tensor z_tn = by_table(z).to(at::kDouble);
  const at::Tensor last = levels_.to(z.device(), at::kLong).clamp_min(1) - 1;
  const at::Tensor level = at::minimum(table.level(z_tn.detach()), last);
  return {by_event(at::where(whole, level.to(z.scalar_type()), by_table(z)), z.size(0)),
          log_det(table, level, z_tn, z.size(0)).neg().to(z.scalar_type()),
          {},
          {}};
}

// [T, L]; the same row, of all numbers, for a shared table. Rows go by parts: counting takes many times
// the memory of what is counted.
at::Tensor MarginalDequantize::counts(const at::Tensor& x) const {
  constexpr int64_t kMostNumbers = int64_t{1} << 22;
  const int64_t tables = mass_.size(0), most = mass_.size(1);
  const at::Tensor whole = levels_.to(x.device()).gt(0.0);
  const at::Tensor first = at::arange(tables, x.options().dtype(at::kLong)).unsqueeze(1) * most;
  at::Tensor count = at::zeros({tables, most}, x.options().dtype(at::kDouble));
  const int64_t rows = std::max<int64_t>(1, kMostNumbers / options_.event.size());
  for (const at::Tensor& part : x.split(rows)) {
    const at::Tensor level = at::where(whole, by_table(part).to(at::kDouble), 0.0).to(at::kLong);
    const at::Tensor cell = level + first;
    count += cell.flatten().bincount({}, tables * most).view({tables, most});
  }
  return shared() ? count.sum(0, /*keepdim=*/true).expand_as(count) : count;
}

// The masses of counts [T, L].
at::Tensor MarginalDequantize::smoothed(const at::Tensor& count) const {
  const at::Tensor levels = levels_.to(count.device()).clamp_min(1.0);
  const at::Tensor real = at::arange(mass_.size(1), count.options()).lt(levels).to(at::kDouble);
  // Tables of as many levels, [T, T], give the common half of what the masses start from.
  const bool all_alike = levels.eq(levels[0]).all().item<bool>();
  const at::Tensor alike = all_alike ? count.sum(0, /*keepdim=*/true)
                                     : levels.eq(levels.t()).to(at::kDouble).matmul(count);
  const at::Tensor start =
      0.5 * (real / levels + alike / alike.sum(1, /*keepdim=*/true)) * options_.smoothing;
  const at::Tensor sum = count + start;
  const at::Tensor share = sum / sum.sum(1, /*keepdim=*/true);
  return kLeastMass * real + (1.0 - kLeastMass * levels) * share;
}

void MarginalDequantize::do_prepare(const at::Tensor& x, const Context& /*context*/) {
  if (!prepare_needs_data()) return;
  check_levels(by_table(x), x);
  mass_.copy_(smoothed(counts(x)));
  initialized_.fill_(1.0);
}

}  // namespace contraflow
