#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/rng.h"
#include "contraflow/data/columns.h"
#include "contraflow/data/source.h"
#include "contraflow/data/toy.h"

namespace contraflow::data {

/// An endless stream of samples of a toy density: step k of batch size n gives rows kn to
/// kn + n - 1. `columns` says which of its columns (toy_columns()) are modelled and which are given.
///
/// Shapes     x: [B, columns.names.size()]; condition: [B, columns.condition_size()] or undefined;
///            no weight.
/// Types      float32, float64.
/// Size       endless.
/// Random     row r is a pure function of (rng, r).
/// Threads    const members may run concurrently.
/// Throws     ConfigError (unknown name, with the nearest one; a column that the density does not
///            have); see Source.
/// Source     toy.h.
/// Example    ToySource source("moons", Rng(1), at::kFloat);
class CF_EXPORT ToySource final : public Source {
 public:
  ToySource(std::string_view name, const Rng& rng, at::ScalarType dtype,
            Columns columns = {.names = {"x0", "x1"}});

  std::optional<int64_t> size() const override { return std::nullopt; }
  std::vector<int64_t> event_shape() const override {
    return {static_cast<int64_t>(columns_.names.size())};
  }
  std::string name() const override { return std::string(density_.name); }

 private:
  Batch do_batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const override;
  Batch do_rows(int64_t begin, int64_t end) const override;

  const ToyDensity& density_;
  Rng rng_;
  at::ScalarType dtype_;
  Columns columns_;
  at::Tensor order_;  // of the columns that are read; undefined = x0 and x1 as they come
};

/// Rows in memory.
///
/// Shapes     x: [N, event...], N >= 1.  condition: [N, C] or undefined.  weight: [N] or undefined,
///            finite, >= 0 and not all zero.
/// Types      x stays what it is, uint8, int8, int16, int32, float32 or float64, and each batch is
///            converted to `dtype`: float32, float64, or unset for that of x (float32 where x holds
///            integers). condition and weight have `dtype`.
/// Size       N.
/// Random     epoch e goes through the rows in the order of a permutation keyed by (rng, e). Steps
///            run on over epochs: each epoch has N / batch_size steps, and the rows left over,
///            other ones in each epoch, wait for the next. With N < batch_size every batch is one
///            epoch, N rows.
/// Threads    const members may run concurrently (the current epoch's order is kept under a lock).
/// Throws     ShapeError, DtypeError (tensors that do not fit together); DomainError (weights); see
///            Source.
/// Source     none.
/// Example    TensorSource source("train", x, {}, {}, Rng(1));
class CF_EXPORT TensorSource final : public Source {
 public:
  TensorSource(std::string name, at::Tensor x, at::Tensor condition, at::Tensor weight,
               const Rng& rng, std::optional<at::ScalarType> dtype = std::nullopt);

  std::optional<int64_t> size() const override { return x_.size(0); }
  std::vector<int64_t> event_shape() const override { return x_.sizes().slice(1).vec(); }
  std::string name() const override { return name_; }

 private:
  Batch do_batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const override;
  // Views of the rows, not copies, where nothing is converted.
  Batch do_rows(int64_t begin, int64_t end) const override;
  void check_tensors() const;
  at::Tensor order(int64_t epoch) const;

  std::string name_;
  at::Tensor x_;
  at::Tensor condition_;
  at::Tensor weight_;
  Rng rng_;
  at::ScalarType dtype_;
  // A permutation costs more than a step on large sets, so that of the last epoch asked for stays.
  mutable std::mutex mutex_;
  mutable int64_t cached_epoch_ = -1;
  mutable at::Tensor cached_order_;
};

}  // namespace contraflow::data
