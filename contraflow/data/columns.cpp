#include "contraflow/data/columns.h"

namespace contraflow::data {

int64_t Columns::dim() const {
  int64_t size = event_shape.empty() ? 0 : 1;
  for (const int64_t length : event_shape) size *= length;
  return size;
}

Columns columns_of(const Dataset& dataset) {
  Columns out;
  out.event_shape = dataset.event_shape;
  out.names = dataset.layout.columns;
  out.condition = dataset.layout.condition;
  out.label = dataset.layout.label;
  out.classes = dataset.layout.classes;
  out.weight = dataset.layout.weight;
  out.levels = dataset.levels.value_or(0);
  if (dataset.low && dataset.high) out.bounds = {*dataset.low, *dataset.high};
  out.entropy = dataset.entropy;
  out.plot_box = dataset.plot_box;
  return out;
}

}  // namespace contraflow::data
