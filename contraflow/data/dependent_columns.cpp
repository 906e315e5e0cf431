#include "contraflow/data/dependent_columns.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/message.h"

namespace contraflow::data {
namespace {

/// Rows [M, D] about their median in robust units, without those far out: one absurd row would look
/// like a line through the columns.
at::Tensor central_rows(const at::Tensor& x) {
  constexpr double kFar = 20.0;
  const at::Tensor center = std::get<0>(x.median(0));
  const at::Tensor away = x - center;
  const at::Tensor scale = away.abs().mean(0).clamp_min(1e-300);
  const at::Tensor typical = std::get<0>(away.abs().median(0));
  const at::Tensor unit = at::where(typical.gt(0.0), typical, scale);
  const at::Tensor z = away / unit;
  const at::Tensor near = z.abs().le(kFar).all(1).nonzero().squeeze(1);
  return z.index_select(0, near);
}

}  // namespace

void check_independent(const Table& table, const std::vector<size_t>& kept,
                       const std::vector<ColumnInfo>& infos) {
  const auto count = static_cast<int64_t>(kept.size());
  const std::vector<int64_t> index(kept.begin(), kept.end());
  const at::Tensor rows =
      central_rows(table.rows.index_select(1, at::tensor(index, at::kLong)).to(at::kDouble));
  if (count < 2 || rows.size(0) <= 2 * count) return;  // too few rows to tell
  const at::Tensor centered = rows - rows.mean(0);
  const at::Tensor deviation = centered.square().mean(0).sqrt();
  if (deviation.le(0.0).any().item<bool>()) return;  // rare values only vary far out
  const at::Tensor z = centered / deviation;
  const auto [values, vectors] = at::linalg_eigh(z.t().mm(z) / static_cast<double>(rows.size(0)));
  constexpr double kFlat = 1e-12;
  for (int64_t k = 0; k < count && values[k].item<double>() < kFlat; ++k) {
    const at::Tensor weights = vectors.select(1, k).abs();
    const double least = 1e-3 * weights.max().item<double>();
    std::vector<std::string> names;
    bool any_continuous = false;
    for (int64_t c = 0; c < count; ++c) {
      if (weights[c].item<double>() < least) continue;
      const auto place = static_cast<size_t>(c);
      names.push_back(in_quotes(table.columns[kept[place]]));
      any_continuous = any_continuous || !infos[place].whole();
    }
    if (!any_continuous) continue;
    fail<DomainError>("columns", table.source, "columns that vary on their own",
                      "a linear relation that all rows keep among " + join(names, ", "),
                      "Leave one of them out (data.exclude): it follows from the others, and the "
                      "density of all together would grow without limit.");
  }
}

}  // namespace contraflow::data
