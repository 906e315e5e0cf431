#include "contraflow/data/source.h"

#include <algorithm>

#include "contraflow/core/error.h"

namespace contraflow::data {
namespace {

void check_range(const char* where, int64_t begin, int64_t end, std::optional<int64_t> size) {
  if (begin >= 0 && begin <= end && (!size || end <= *size)) return;
  fail<ShapeError>(
      where, "rows", "0 <= begin <= end" + (size ? " <= " + std::to_string(*size) : ""),
      std::to_string(begin) + " .. " + std::to_string(end), "Ask for rows that the source has.");
}

}  // namespace

int64_t Source::batch_rows(int64_t batch_size) const {
  if (batch_size < 1) {
    fail<ShapeError>("Source.batch", "batch_size", ">= 1", std::to_string(batch_size),
                     "Ask for one row or more.");
  }
  return do_batch_rows(batch_size);
}

int64_t Source::do_batch_rows(int64_t batch_size) const {
  return std::min(batch_size, size().value_or(batch_size));
}

Batch Source::batch(int64_t step, int64_t batch_size) const {
  return batch(step, batch_size, 0, batch_rows(batch_size));
}

Batch Source::batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const {
  if (step < 0) {
    fail<ShapeError>("Source.batch", "step", ">= 0", std::to_string(step), "Steps count from 0.");
  }
  check_range("Source.batch", begin, end, batch_rows(batch_size));
  return do_batch(step, batch_size, begin, end);
}

Batch Source::rows(int64_t begin, int64_t end) const {
  check_range("Source.rows", begin, end, size());
  return do_rows(begin, end);
}

}  // namespace contraflow::data
