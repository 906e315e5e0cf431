#include "contraflow/data/table_dataset.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"
#include "contraflow/data/splits.h"
#include "contraflow/data/weights.h"

namespace contraflow::data {
namespace {

// Values as they stay in memory: of the smaller type.
at::Tensor stored(const at::Tensor& x, at::ScalarType dtype) {
  const bool smaller = x.element_size() < static_cast<int64_t>(c10::elementSize(dtype));
  return smaller ? x.contiguous() : x.to(dtype).contiguous();
}

void check_values(const Table& table, const Columns& columns) {
  const auto width = static_cast<int64_t>(columns.names.size());
  TableRules rules{.allow_constant_columns = columns.levels > 0, .levels = columns.levels};
  if (!columns.bounds.empty()) {
    rules.low = columns.bounds[0];
    rules.high = columns.bounds[1];
  }
  check_table({columns.names, table.rows.narrow(1, 0, width), table.source}, rules);
}

}  // namespace

std::vector<int64_t> image_of(const DataOptions& options, const std::vector<int64_t>& event_shape) {
  std::vector<int64_t> image = options.image;
  if (image.empty() && event_shape.size() == 3) return event_shape;
  if (image.size() == 2) image.insert(image.begin(), 1);
  const Columns event{.event_shape = event_shape}, pixels{.event_shape = image};
  if (image.empty() || event.dim() == pixels.dim()) return image;
  fail<ConfigError>("data", "image", "a shape of " + std::to_string(event.dim()) + " pixels",
                    c10::str(at::IntArrayRef(options.image)),
                    "Give [height, width] or [channels, height, width] of one row.");
}

Dataset table_dataset(const Table& table, const Columns& columns,
                      const std::vector<int64_t>& event_shape, const DataOptions& options,
                      at::ScalarType dtype) {
  Dataset out{.name = options.name, .splits = {}, .columns = columns};
  out.columns.event_shape = event_shape;
  out.columns.bounds = options.bounds;
  out.columns.image = image_of(options, event_shape);
  check_values(table, out.columns);
  const auto width = static_cast<int64_t>(columns.names.size());
  if (!columns.label.empty()) {
    const auto column = width + static_cast<int64_t>(columns.condition.size());
    out.columns.classes = count_classes(table.rows.select(1, column), table.source);
  }
  Batch all = out.columns.given(table.rows, dtype, table.source);
  std::vector<int64_t> shape{table.rows.size(0)};
  shape.insert(shape.end(), event_shape.begin(), event_shape.end());
  all.x = stored(table.rows.narrow(1, 0, width), dtype).reshape(shape);
  if (!options.weight.empty() && columns.weight.empty()) {
    const at::Tensor weight = read_weight_file(options.weight, table.rows.size(0), options.name);
    check_weights("data", "weight '" + options.weight + "'", weight);
    all.weight = weight.to(dtype);
  }
  out.splits = split_tensors(all, split_sizes(options), rng_of(options), dtype);
  return out;
}

}  // namespace contraflow::data
