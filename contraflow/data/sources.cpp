#include "contraflow/data/sources.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "contraflow/core/check.h"
#include "contraflow/core/error.h"
#include "contraflow/data/rows.h"
#include "contraflow/data/weights.h"

namespace contraflow::data {
namespace {

void check_step(const char* where, int64_t step, int64_t batch_size) {
  if (batch_size < 1) {
    fail<ShapeError>(where, "batch_size", ">= 1", std::to_string(batch_size),
                     "Ask for one row or more.");
  }
  if (step < 0) {
    fail<ShapeError>(where, "step", ">= 0", std::to_string(step), "Steps count from 0.");
  }
}

void check_range(const char* where, int64_t begin, int64_t end, std::optional<int64_t> size) {
  if (begin >= 0 && begin <= end && (!size || end <= *size)) return;
  fail<ShapeError>(
      where, "rows", "0 <= begin <= end" + (size ? " <= " + std::to_string(*size) : ""),
      std::to_string(begin) + " .. " + std::to_string(end), "Ask for rows that the source has.");
}

// A tensor that goes with x row by row.
void check_companion(const char* name, const at::Tensor& t, int64_t dim, const at::Tensor& x) {
  if (!t.defined()) return;
  if (t.dim() != dim || t.size(0) != x.size(0)) {
    const std::string rest = dim == 1 ? "]" : ", C]";
    fail<ShapeError>("TensorSource", name, "[" + std::to_string(x.size(0)) + rest,
                     c10::str(t.sizes()), "Give one entry per row of x.");
  }
  check_same_kind("TensorSource", name, t, x);
}

}  // namespace

ToySource::ToySource(std::string_view name, const Rng& rng, at::ScalarType dtype, RowLayout layout)
    : density_(toy_density(name)), rng_(rng), dtype_(dtype), layout_(std::move(layout)) {
  const std::vector<std::string> wanted = layout_.to_read();
  if (wanted == std::vector<std::string>{"x0", "x1"} && layout_.condition_size() == 0) return;
  order_ = at::tensor(find_columns(toy_columns(density_), wanted, std::string(name)), at::kLong);
}

Batch ToySource::batch(int64_t step, int64_t batch_size) const {
  check_step("ToySource.batch", step, batch_size);
  return rows(step * batch_size, (step + 1) * batch_size);
}

Batch ToySource::rows(int64_t begin, int64_t end) const {
  check_range("ToySource.rows", begin, end, std::nullopt);
  const Rng rng = rng_.rows_from(rng_.first_row() + begin);
  if (order_.defined()) {
    const at::Tensor rows = sample_toy_rows(density_, rng, end - begin, dtype_);
    return layout_.to_batch(rows.index_select(1, order_), dtype_, name(), begin);
  }
  Batch out;
  out.x = sample_toy(density_, rng, end - begin, dtype_);
  out.first_row = begin;
  return out;
}

TensorSource::TensorSource(std::string name, at::Tensor x, at::Tensor condition, at::Tensor weight,
                           const Rng& rng)
    : name_(std::move(name)),
      x_(std::move(x)),
      condition_(std::move(condition)),
      weight_(std::move(weight)),
      rng_(rng) {
  if (!x_.defined() || x_.dim() < 2 || x_.size(0) < 1) {
    fail<ShapeError>("TensorSource", "x", "[N, event...] with N >= 1",
                     x_.defined() ? c10::str(x_.sizes()) : "no tensor",
                     "Give at least one row; use x.unsqueeze(1) for events of one number.");
  }
  check_floating("TensorSource", "x", x_);
  check_companion("condition", condition_, 2, x_);
  check_companion("weight", weight_, 1, x_);
  if (weight_.defined())
    check_weights("TensorSource", "weight of the rows '" + name_ + "'", weight_);
}

at::Tensor TensorSource::order(int64_t epoch) const {
  const std::lock_guard lock(mutex_);
  if (cached_epoch_ != epoch) {
    cached_order_ = rng_.fork(static_cast<uint64_t>(epoch)).permutation(x_.size(0));
    cached_epoch_ = epoch;
  }
  return cached_order_;
}

Batch TensorSource::batch(int64_t step, int64_t batch_size) const {
  check_step("TensorSource.batch", step, batch_size);
  const int64_t rows = std::min(batch_size, x_.size(0));
  const int64_t steps_per_epoch = x_.size(0) / rows;
  const at::Tensor chosen =
      order(step / steps_per_epoch).narrow(0, step % steps_per_epoch * rows, rows);
  Batch out;
  out.x = x_.index_select(0, chosen);
  if (condition_.defined()) out.condition = condition_.index_select(0, chosen);
  if (weight_.defined()) out.weight = weight_.index_select(0, chosen);
  out.first_row = step * batch_size;
  return out;
}

Batch TensorSource::rows(int64_t begin, int64_t end) const {
  check_range("TensorSource.rows", begin, end, x_.size(0));
  Batch out;
  out.x = x_.narrow(0, begin, end - begin);
  if (condition_.defined()) out.condition = condition_.narrow(0, begin, end - begin);
  if (weight_.defined()) out.weight = weight_.narrow(0, begin, end - begin);
  out.first_row = begin;
  return out;
}

}  // namespace contraflow::data
