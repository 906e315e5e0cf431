#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace contraflow::data {

/// Rows that travel together. `condition` and `weight` are undefined where the data has none.
struct Batch {
  at::Tensor x;           ///< [B, event...].
  at::Tensor condition;   ///< [B, C] or undefined.
  at::Tensor weight;      ///< [B] or undefined.
  int64_t first_row = 0;  ///< Number of the first row within the whole, for Rng::rows_from().
};

/// Where batches come from.
///
/// Shapes     x: [B] + event_shape().  condition: [B, C].  weight: [B].
/// Types      one floating dtype, chosen when the source is made; on the CPU.
/// Size       size() rows, or endless (nullopt: a stream of fresh samples).
/// Random     immutable: batch(step, n) is a pure function of the source's seed, step and n, so a
///            resumed run sees the batches that the uninterrupted run would have seen.
/// Threads    const members may run concurrently.
/// Throws     ShapeError (batch size < 1, step < 0, rows outside of [0, size]).
/// Source     none.
/// Example    const Batch batch = splits.train->batch(step, 500);
class Source {
 public:
  virtual ~Source() = default;
  /// The training batch of one step: `batch_size` rows in random order (TensorSource says how a
  /// finite set smaller than `batch_size` is handled). first_row = step * batch_size.
  virtual Batch batch(int64_t step, int64_t batch_size) const = 0;
  /// Number of rows; nullopt = endless.
  virtual std::optional<int64_t> size() const = 0;
  virtual std::vector<int64_t> event_shape() const = 0;
  /// Rows begin .. end-1 in order; of an endless source, rows of its stream.
  virtual Batch rows(int64_t begin, int64_t end) const = 0;
  virtual std::string name() const = 0;
};

using SourcePtr = std::shared_ptr<const Source>;

struct Splits {
  SourcePtr train, validation, test;
};

}  // namespace contraflow::data
