#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/rng.h"
#include "contraflow/data/row_layout.h"
#include "contraflow/data/source.h"
#include "contraflow/data/toy.h"

namespace contraflow::data {

/// An endless stream of samples of a toy density: step k of batch size n gives rows kn .. kn + n
/// - 1. `layout` says which of its columns (toy_columns()) are modelled and which are given.
///
/// Shapes     x: [B, layout.columns.size()]; condition: [B, layout.condition_size()] or undefined;
///            no weight.
/// Types      float32, float64.
/// Size       endless.
/// Random     row r is a pure function of (rng, r).
/// Threads    const members may run concurrently.
/// Throws     ConfigError (unknown name, with the nearest one; a column that the density does not
///            have); see Source.
/// Source     toy.h.
/// Example    ToySource source("moons", Rng(1), at::kFloat);
class ToySource final : public Source {
 public:
  ToySource(std::string_view name, const Rng& rng, at::ScalarType dtype,
            RowLayout layout = {.columns = {"x0", "x1"}});

  Batch batch(int64_t step, int64_t batch_size) const override;
  std::optional<int64_t> size() const override { return std::nullopt; }
  std::vector<int64_t> event_shape() const override {
    return {static_cast<int64_t>(layout_.columns.size())};
  }
  Batch rows(int64_t begin, int64_t end) const override;
  std::string name() const override { return std::string(density_.name); }

 private:
  const ToyDensity& density_;
  Rng rng_;
  at::ScalarType dtype_;
  RowLayout layout_;
  at::Tensor order_;  // of the columns that the layout reads; undefined = x0 and x1 as they come
};

/// Rows in memory.
///
/// Shapes     x: [N, event...], N >= 1.  condition: [N, C] or undefined.  weight: [N] or undefined,
///            finite, >= 0 and not all zero.
/// Types      float32, float64, the same for all.
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
class TensorSource final : public Source {
 public:
  TensorSource(std::string name, at::Tensor x, at::Tensor condition, at::Tensor weight,
               const Rng& rng);

  Batch batch(int64_t step, int64_t batch_size) const override;
  std::optional<int64_t> size() const override { return x_.size(0); }
  std::vector<int64_t> event_shape() const override { return x_.sizes().slice(1).vec(); }
  /// Views of the rows, not copies: do not write to them.
  Batch rows(int64_t begin, int64_t end) const override;
  std::string name() const override { return name_; }

 private:
  at::Tensor order(int64_t epoch) const;

  std::string name_;
  at::Tensor x_;
  at::Tensor condition_;
  at::Tensor weight_;
  Rng rng_;
  // A permutation costs more than a step on large sets, so that of the last epoch asked for stays.
  mutable std::mutex mutex_;
  mutable int64_t cached_epoch_ = -1;
  mutable at::Tensor cached_order_;
};

}  // namespace contraflow::data
