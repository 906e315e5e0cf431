#include "contraflow/data/column_kinds.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <string_view>

namespace contraflow::data {

CommonValue most_common(const at::Tensor& values) {
  const at::Tensor sorted = std::get<0>(values.sort());
  const auto [value, inverse, count] = at::unique_consecutive(sorted, /*return_inverse=*/false,
                                                              /*return_counts=*/true);
  const int64_t most = count.argmax().item<int64_t>();
  return {value[most].item<double>(),
          static_cast<double>(count[most].item<int64_t>()) / static_cast<double>(values.size(0))};
}

namespace {

double at(const at::Tensor& sorted, double part) {
  const auto last = static_cast<double>(sorted.size(0) - 1);
  return sorted[std::llround(part * last)].item<double>();
}

// Up to what a decimal number loses in binary, and in the division.
bool are_multiples(const at::Tensor& values, double step) {
  const at::Tensor cells = values / step;
  const at::Tensor rounding = 1e-9 + cells.abs() * 0x1p-50;
  return (cells - cells.round()).abs().le(rounding).all().item<bool>();
}

// Numbers of rows, of things, of steps. Beyond 2^53 every float64 is whole, and says nothing.
bool is_whole(const at::Tensor& values) {
  return values.eq(values.round()).logical_and(values.abs().le(0x1p53)).all().item<bool>();
}

// How much further the upper half reaches than the lower one.
double lean(double low, double middle, double high) {
  return (high - middle) / std::max(middle - low, 1e-12 * std::abs(high - low));
}

// Numbers from 0 on whose logarithm is the more even measure of them.
bool spreads_like_powers(const at::Tensor& sorted, double shift) {
  const double low = at(sorted, .05) + shift, middle = at(sorted, .5) + shift,
               high = at(sorted, .95) + shift;
  if (!(low > 0.0 && low < high)) return false;
  const double plain = lean(low, middle, high);
  const double logarithmic = lean(std::log(low), std::log(middle), std::log(high));
  constexpr double kFar = 3.0;
  return plain > kFar && std::abs(std::log(logarithmic)) < std::log(plain);
}

// The upper bound of a share or a percentage, if the values look like one: a density that simply
// ends within [0, 1] is small at both of its ends.
std::optional<double> share_of(const at::Tensor& sorted) {
  constexpr int64_t kFewest = 100;
  const double least = sorted[0].item<double>(), most = sorted[-1].item<double>();
  if (sorted.size(0) < kFewest || least < 0.0) return std::nullopt;
  for (const double top : {1.0, 100.0}) {
    if (most > top || most < 0.9 * top) continue;
    constexpr double kEdge = 0.01, kCrowded = 0.005;
    const double edge = kEdge * top;
    const auto near = sorted.le(edge).logical_or(sorted.ge(top - edge)).sum().item<int64_t>();
    const bool crowded = static_cast<double>(near) > kCrowded * static_cast<double>(sorted.size(0));
    if (crowded && least <= 0.1 * top) return top;
  }
  return std::nullopt;
}

std::string in_lower_case(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

// What pandas calls an index that was saved with the columns.
bool is_saved_index(const std::string& name) {
  const std::string lower = in_lower_case(name);
  return lower.starts_with("unnamed: ") || lower == "index";
}

bool is_index_name(const std::string& any_case) {
  const std::string name = in_lower_case(any_case);
  constexpr std::array<std::string_view, 6> kNames{"index", "id", "row", "rowid", "uid", "uuid"};
  if (name.starts_with("unnamed: ")) return true;
  if (name.ends_with("_id") || name.ends_with(" id")) return true;
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// The largest decimal step that all values are multiples of, if it is coarse: fewer than a hundred
// of them make the spread, and most values occur more than once. Of a column with an atom, a value
// that many rows have, any step counts: no density is as high as an atom, and noise spreads it.
std::optional<double> coarse_step(const at::Tensor& sorted) {
  const double range = (sorted[-1] - sorted[0]).item<double>();
  const double central = at(sorted, .95) - at(sorted, .05);
  const bool atom = most_common(sorted).share >= kAtomShare;
  const double spread = atom ? range : central, most_steps = atom ? 1e5 : 100.0;
  const int64_t distinct = std::get<0>(at::unique_consecutive(sorted)).size(0);
  if (!(spread > 0.0) || 2 * distinct > sorted.size(0)) return std::nullopt;
  const auto exponent = static_cast<int>(std::ceil(std::log10(spread)));
  for (int power = exponent; power > exponent - 8; --power) {
    for (const double digit : {5.0, 2.0, 1.0}) {
      const double step =
          power < 0 ? digit / std::pow(10.0, -power) : digit * std::pow(10.0, power);
      if (spread / step > most_steps) return std::nullopt;
      if (are_multiples(sorted, step)) return step;
    }
  }
  return std::nullopt;
}

// So many rows have the value that it is no mere extreme of something that may go further.
bool is_attested(const at::Tensor& values, double value) {
  constexpr int64_t kFewest = 5;
  constexpr double kShare = 0.002;
  const auto wanted =
      std::max<int64_t>(kFewest, std::llround(kShare * static_cast<double>(values.size(0))));
  return values.eq(value).sum().item<int64_t>() >= wanted;
}

// A short list of values, of which the least and the largest are attested; else a count, if the least is
// attested and no lower one makes sense: there are no -1 rooms.
void find_ends(ColumnInfo& info, const at::Tensor& sorted) {
  constexpr double kMostLevels = 64.0;
  const double least = sorted[0].item<double>(), most = sorted[-1].item<double>();
  const double levels = std::round((most - least) / info.step) + 1.0;
  const bool flag = least == 0.0 && most == 1.0;  // however rare one of the two is
  if (!flag && !is_attested(sorted, least)) return;
  if (flag || (levels <= kMostLevels && is_attested(sorted, most))) {
    info.lower = least;
    info.levels = std::llround(levels);
  } else if (least == 0.0 || least == info.step) {
    info.kind = ColumnKind::kCount;
    info.lower = least;
  }
}

// Upwards from one first value again and again, as where tables were put together.
bool counts_in_runs(const at::Tensor& steps, const at::Tensor& values) {
  constexpr double kFewRuns = 0.1;
  const at::Tensor restarts = steps.le(0.0);
  const bool from_one_value =
      values.slice(0, 1).masked_select(restarts).eq(values[0]).all().item<bool>();
  const double count = restarts.sum().item<double>();
  return from_one_value && count > 0.0 && count < kFewRuns * static_cast<double>(steps.size(0));
}

}  // namespace

ColumnInfo guess_kind(const at::Tensor& values) {
  const at::Tensor sorted = std::get<0>(values.sort());
  ColumnInfo out;
  const double least = sorted[0].item<double>();
  if (is_whole(sorted)) {
    constexpr double kWide = 20.0;  // fewer values hold no powers
    constexpr int64_t kFewest = 100;
    const auto step = sorted.size(0) >= kFewest ? coarse_step(sorted) : std::nullopt;
    out.step = std::max(1.0, step.value_or(1.0));
    const bool count = least >= 0.0 && at(sorted, .95) > kWide * out.step &&
                       spreads_like_powers(sorted, .5 * out.step);
    out.kind = count ? ColumnKind::kCount : ColumnKind::kInteger;
    if (count) out.lower = 0.0;
    if (!count) find_ends(out, sorted);
    return out;
  }
  if (const auto step = coarse_step(sorted)) {
    out.kind = ColumnKind::kInteger;
    out.step = *step;
    find_ends(out, sorted);
    return out;
  }
  if (const auto top = share_of(sorted)) {
    out.kind = ColumnKind::kBounded;
    out.lower = 0.0;
    out.upper = *top;
    return out;
  }
  if (least > 0.0 && spreads_like_powers(sorted, 0.0)) {
    out.kind = ColumnKind::kPositive;
    out.lower = 0.0;
  }
  return out;
}

double edge_of(const at::Tensor& values, double bound) {
  const at::Tensor distance = (values - bound).abs();
  const at::Tensor inside = distance.masked_select(distance.gt(0.0));
  return inside.numel() == 0 ? 0.5 : 0.5 * inside.min().item<double>();
}

std::optional<std::string> row_number_reason(const std::string& name, const at::Tensor& values,
                                             bool unnamed) {
  if (values.size(0) < 3 || !is_whole(values)) return std::nullopt;
  const at::Tensor steps = values.slice(0, 1) - values.slice(0, 0, -1);
  const double first = values[0].item<double>();
  const bool counts_rows = steps.eq(1.0).all().item<bool>() && (first == 0.0 || first == 1.0);
  const bool named = is_index_name(name) || unnamed;
  if (counts_rows) return "it numbers the rows";
  if (!named) return std::nullopt;
  if ((unnamed || is_saved_index(name)) && counts_in_runs(steps, values))
    return "it numbers the rows of several parts";
  const at::Tensor sorted = std::get<0>(values.sort());
  const bool unique = (sorted.slice(0, 1) - sorted.slice(0, 0, -1)).gt(0.0).all().item<bool>();
  if (!unique) return std::nullopt;
  return "an identifier: a whole number that no two rows share";
}

bool is_rounded(const at::Tensor& values) {
  const at::Tensor sorted = std::get<0>(values.sort());
  const double spread = at(sorted, .95) - at(sorted, .05);
  if (!(spread > 0.0)) return true;
  constexpr double kFinest = 1e-4;
  return are_multiples(sorted, std::pow(10.0, std::floor(std::log10(kFinest * spread)) + 1.0));
}

}  // namespace contraflow::data
