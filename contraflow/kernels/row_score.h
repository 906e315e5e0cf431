#pragma once

#include <cstdint>

#include "contraflow/core/export.h"

namespace contraflow::kernels {

/// The score d log p / dz of a density on rows of numbers: what a run that goes back from the latent
/// asks of the density there, and all that it knows of it.
///
/// Shapes     z, out: [rows, columns], row-major; they do not overlap.
/// Threads    calls run concurrently.
/// Throws     nothing: it is called inside a kernel.
class CF_EXPORT RowScore {
 public:
  virtual void score(const float* z, int64_t rows, int64_t columns, float* out) const = 0;
  virtual void score(const double* z, int64_t rows, int64_t columns, double* out) const = 0;

 protected:
  RowScore() = default;
  RowScore(const RowScore&) = default;
  RowScore& operator=(const RowScore&) = default;
  ~RowScore() = default;
};

}  // namespace contraflow::kernels
