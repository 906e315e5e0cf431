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

// A tensor that goes with x row by row.
void check_companion(const char* name, const at::Tensor& t, int64_t dim, const at::Tensor& x,
                     at::ScalarType dtype) {
  if (!t.defined()) return;
  if (t.dim() != dim || t.size(0) != x.size(0)) {
    const std::string rest = dim == 1 ? "]" : ", C]";
    fail<ShapeError>("TensorSource", name, "[" + std::to_string(x.size(0)) + rest,
                     c10::str(t.sizes()), "Give one entry per row of x.");
  }
  check_same_kind("TensorSource", name, t, at::empty({0}, x.options().dtype(dtype)));
}

// Whole numbers that float32 or float64 hold in more bytes.
bool is_small_integer(at::ScalarType type) {
  return type == at::kByte || type == at::kChar || type == at::kShort || type == at::kInt;
}

// The dtype of batches of x.
at::ScalarType batch_type(const at::Tensor& x, std::optional<at::ScalarType> wanted) {
  if (wanted) return *wanted;
  return x.defined() && !is_small_integer(x.scalar_type()) ? x.scalar_type() : at::kFloat;
}

}  // namespace

ToySource::ToySource(std::string_view name, const Rng& rng, at::ScalarType dtype, Columns columns)
    : density_(toy_density(name)), rng_(rng), dtype_(dtype), columns_(std::move(columns)) {
  const std::vector<std::string> wanted = columns_.to_read();
  if (wanted == std::vector<std::string>{"x0", "x1"} && columns_.condition_size() == 0) return;
  order_ = at::tensor(find_columns(toy_columns(density_), wanted, std::string(name)), at::kLong);
}

Batch ToySource::do_batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const {
  return do_rows(step * batch_size + begin, step * batch_size + end);
}

Batch ToySource::do_rows(int64_t begin, int64_t end) const {
  const Rng rng = rng_.rows_from(rng_.first_row() + begin);
  if (order_.defined()) {
    const at::Tensor rows = sample_toy_rows(density_, rng, end - begin, dtype_);
    return columns_.to_batch(rows.index_select(1, order_), dtype_, name(), begin);
  }
  return {.x = sample_toy(density_, rng, end - begin, dtype_), .first_row = begin};
}

TensorSource::TensorSource(std::string name, at::Tensor x, at::Tensor condition, at::Tensor weight,
                           const Rng& rng, std::optional<at::ScalarType> dtype)
    : name_(std::move(name)),
      x_(std::move(x)),
      condition_(std::move(condition)),
      weight_(std::move(weight)),
      rng_(rng),
      dtype_(batch_type(x_, dtype)) {
  check_tensors();
}

void TensorSource::check_tensors() const {
  if (!x_.defined() || x_.dim() < 2 || x_.size(0) < 1) {
    fail<ShapeError>("TensorSource", "x", "[N, event...] with N >= 1",
                     x_.defined() ? c10::str(x_.sizes()) : "no tensor",
                     "Give at least one row; use x.unsqueeze(1) for events of one number.");
  }
  if (!is_small_integer(x_.scalar_type())) check_floating("TensorSource", "x", x_);
  check_floating("TensorSource", "dtype", at::empty({0}, at::TensorOptions().dtype(dtype_)));
  check_companion("condition", condition_, 2, x_, dtype_);
  check_companion("weight", weight_, 1, x_, dtype_);
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

Batch TensorSource::do_batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const {
  const int64_t rows = std::min(batch_size, x_.size(0));
  const int64_t steps_per_epoch = x_.size(0) / rows;
  const int64_t first = step % steps_per_epoch * rows + begin;
  const at::Tensor chosen = order(step / steps_per_epoch).narrow(0, first, end - begin);
  Batch out;
  out.x = x_.index_select(0, chosen).to(dtype_);
  if (condition_.defined()) out.condition = condition_.index_select(0, chosen);
  if (weight_.defined()) out.weight = weight_.index_select(0, chosen);
  out.first_row = step * batch_size + begin;
  return out;
}

Batch TensorSource::do_rows(int64_t begin, int64_t end) const {
  Batch out;
  out.x = x_.narrow(0, begin, end - begin).to(dtype_);
  if (condition_.defined()) out.condition = condition_.narrow(0, begin, end - begin);
  if (weight_.defined()) out.weight = weight_.narrow(0, begin, end - begin);
  out.first_row = begin;
  return out;
}

}  // namespace contraflow::data
