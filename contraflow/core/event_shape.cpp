#include "contraflow/core/event_shape.h"

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

constexpr int64_t kMostNumbers = int64_t{1} << 40;

// Checked before each product, so that nothing overflows.
void check_sizes(const std::vector<int64_t>& sizes, const std::string& text) {
  int64_t product = 1;
  for (const int64_t size : sizes) {
    if (size < 1) {
      fail<ConfigError>("EventShape", "sizes", "sizes of at least 1", text,
                        "Write the number of features, or [channels, height, width].");
    }
    if (size > kMostNumbers / product) {
      fail<ConfigError>("EventShape", "sizes", "at most 2^40 numbers in one event", text,
                        "Check the sizes.");
    }
    product *= size;
  }
}

}  // namespace

EventShape::EventShape(int64_t features) {
  if (features == 0) return;
  sizes_ = {features};
  check_sizes(sizes_, text());
}

EventShape::EventShape(std::vector<int64_t> sizes) : sizes_(std::move(sizes)) {
  check_sizes(sizes_, text());
}

int64_t EventShape::size() const {
  if (empty()) return 0;
  int64_t out = 1;
  for (const int64_t size : sizes_) out *= size;
  return out;
}

std::string EventShape::text() const {
  if (empty()) return "none";
  if (is_row()) return std::to_string(sizes_.front());
  std::string out;
  for (const int64_t size : sizes_) out += (out.empty() ? "[" : ", ") + std::to_string(size);
  return out + "]";
}

}  // namespace contraflow
