#include "contraflow/data/split_rule.h"

#include <ATen/ATen.h>

#include <limits>

#include "contraflow/data/row_hash.h"

namespace contraflow::data {

at::Tensor places_of(SplitBy by, int64_t seed, const at::Tensor& rows, const at::Tensor& key) {
  if (by == SplitBy::kTime) return key.to(at::kDouble);
  const at::Tensor values = by == SplitBy::kGroup ? key.unsqueeze(1) : rows;
  std::vector<uint64_t> hashes = hash_rows(values, static_cast<uint64_t>(seed));
  if (by == SplitBy::kRowCopy) tell_copies_apart(hashes);
  return places_of(hashes);
}

at::Tensor places_of(const std::vector<uint64_t>& hashes) {
  at::Tensor out = at::empty({std::ssize(hashes)}, at::kDouble);
  double* place = out.data_ptr<double>();
  for (const uint64_t hash : hashes) *place++ = static_cast<double>(hash >> 11U) * 0x1p-53;
  return out;
}

namespace {

int64_t beyond(SplitBy by, const at::Tensor& places, double border) {
  const bool from_above = by == SplitBy::kTime;
  return (from_above ? places.gt(border) : places.lt(border)).sum().item<int64_t>();
}

// The border of a part of `count` of the rows, whose places are sorted: the first place after it.
// Equal rows are not parted: the part ends before them, unless it would be empty.
double border_after(const at::Tensor& sorted, int64_t from, int64_t count) {
  const int64_t end = from + count;
  if (count == 0 || end >= sorted.size(0)) return sorted[from].item<double>();
  const double border = sorted[end].item<double>();
  if (sorted[from].item<double>() != border) return border;
  const at::Tensor next = sorted.narrow(0, end, sorted.size(0) - end).ne(border).nonzero();
  return next.size(0) == 0 ? border : sorted[end + next[0][0].item<int64_t>()].item<double>();
}

}  // namespace

SplitRule make_split_rule(SplitBy by, int64_t seed, const at::Tensor& places,
                          const SplitSizes& sizes) {
  const auto [test, validation] = part_sizes(places.size(0), sizes);
  const bool from_above = by == SplitBy::kTime;
  const at::Tensor sorted = std::get<0>(places.sort(0, /*descending=*/from_above));
  SplitRule out{.by = by, .seed = seed};
  out.test_border = border_after(sorted, 0, test);
  const int64_t tested = beyond(out.by, sorted, out.test_border);
  const int64_t rest = std::min(validation, places.size(0) - 1 - tested);
  out.validation_border = border_after(sorted, std::min(tested, places.size(0) - 1), rest);
  return out;
}

SplitRows apply(const SplitRule& rule, const at::Tensor& places) {
  const bool from_above = rule.by == SplitBy::kTime;
  const at::Tensor order = std::get<1>(places.sort(/*stable=*/true, 0, from_above));
  const at::Tensor sorted = places.index_select(0, order);
  const int64_t test = beyond(rule.by, sorted, rule.test_border);
  const int64_t both = std::max(test, beyond(rule.by, sorted, rule.validation_border));
  return {order.narrow(0, both, places.size(0) - both), order.narrow(0, test, both - test),
          order.narrow(0, 0, test)};
}

}  // namespace contraflow::data
