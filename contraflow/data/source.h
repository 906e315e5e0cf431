#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"

namespace contraflow::data {

/// Rows that travel together. `condition` and `weight` are undefined where the data has none.
struct Batch {
  at::Tensor x;               ///< [B, event...].
  at::Tensor condition = {};  ///< [B, C] or undefined.
  at::Tensor weight = {};     ///< [B] or undefined.
  int64_t first_row = 0;      ///< Number of the first row within the whole, for Rng::rows_from().
};

/// Where batches come from.
///
/// Shapes     x: [B] + event_shape().  condition: [B, C].  weight: [B].
/// Types      batches have one floating dtype, chosen when the source is made, and are on the CPU;
///            what a source keeps in memory may be smaller (TensorSource).
/// Size       size() rows, or endless (nullopt: a stream of fresh samples).
/// Random     immutable: batch(step, n) is a pure function of the source's seed, step and n, so a
///            resumed run sees the batches that the uninterrupted run would have seen.
/// Threads    const members may run concurrently.
/// Throws     ShapeError (batch size < 1, step < 0, rows that the batch or the source lacks).
/// Wrapped    shard.h, prefetch.h and augment.h make a source of another one.
/// Source     none.
/// Example    const Batch batch = splits.train->batch(step, 500);
class CF_EXPORT Source {
 public:
  virtual ~Source() = default;

  /// The training batch of one step: batch_rows(batch_size) rows in random order.
  /// first_row = step * batch_size.
  Batch batch(int64_t step, int64_t batch_size) const;
  /// Rows begin .. end-1 of that batch, with the bits that they have in the whole;
  /// first_row = step * batch_size + begin.
  Batch batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const;
  /// Rows that a batch has: `batch_size`, or fewer where the source is smaller.
  int64_t batch_rows(int64_t batch_size) const;
  /// Rows begin .. end-1 in order; of an endless source, rows of its stream.
  Batch rows(int64_t begin, int64_t end) const;

  /// Number of rows; nullopt = endless.
  virtual std::optional<int64_t> size() const = 0;
  virtual std::vector<int64_t> event_shape() const = 0;
  virtual std::string name() const = 0;

 private:
  // Arguments are checked.
  virtual int64_t do_batch_rows(int64_t batch_size) const;
  virtual Batch do_batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const = 0;
  virtual Batch do_rows(int64_t begin, int64_t end) const = 0;
};

using SourcePtr = std::shared_ptr<const Source>;

struct Splits {
  SourcePtr train, validation, test;
};

}  // namespace contraflow::data
