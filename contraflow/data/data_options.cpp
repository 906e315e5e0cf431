#include "contraflow/data/data_options.h"

#include <c10/util/ArrayRef.h>

#include "contraflow/core/error.h"

namespace contraflow::data {

void validate(const DataOptions& options) {
  if (!options.image.empty() && options.image.size() != 2 && options.image.size() != 3) {
    fail<ConfigError>("data", "image", "[height, width] or [channels, height, width]",
                      c10::str(c10::IntArrayRef(options.image)), "For example image = [28, 28].");
  }
  if (!options.bounds.empty() &&
      !(options.bounds.size() == 2 && options.bounds[0] < options.bounds[1])) {
    fail<ConfigError>("data", "bounds", "[low, high] with low < high",
                      c10::str(c10::ArrayRef<double>(options.bounds)),
                      "For example bounds = [0, 1].");
  }
  if (!options.group.empty() && !options.time.empty()) {
    fail<ConfigError>("data", "group", "group or time", "both",
                      "Rows are split by one of the two; remove the other.");
  }
  if (!options.bounds.empty() && options.levels > 0) {
    fail<ConfigError>("data", "bounds", "levels or bounds", "both",
                      "Integers 0 .. levels - 1 are bounded already; remove bounds.");
  }
}

SplitSizes split_sizes(const DataOptions& options) {
  return {options.validation_fraction, options.test_fraction, options.validation_rows,
          options.test_rows};
}

Rng rng_of(const DataOptions& options) {
  return Rng(static_cast<uint64_t>(options.seed)).fork("data");
}

}  // namespace contraflow::data
