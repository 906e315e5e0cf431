#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/options.h"
#include "contraflow/data/dataset.h"

namespace contraflow::data {

/// What a trained model knows about the columns of its data.
struct Columns {
  std::vector<int64_t> event_shape = {};
  std::vector<std::string> names = {};
  std::vector<std::string> condition = {};
  std::string label = {};
  int64_t classes = 0;
  std::string weight = {};
  int64_t levels = 0;                             ///< Integers 0 .. levels - 1; 0 = continuous.
  std::vector<double> bounds = {};                ///< [low, high]; empty = unbounded.
  std::optional<double> entropy = std::nullopt;   ///< Of the data, in nats, where known.
  std::optional<double> plot_box = std::nullopt;  ///< Half the side of the square to plot.

  /// Numbers in one event.
  int64_t dim() const;
  int64_t condition_size() const { return static_cast<int64_t>(condition.size()) + classes; }
  RowLayout layout() const { return {names, condition, label, weight, classes}; }
};

template <class Field>
void visit(Columns& o, Field&& field) {
  field("event_shape", o.event_shape, non_empty(), "Shape of one event.");
  field("columns", o.names, "Columns of the density.");
  field("condition", o.condition, "Columns of numbers to condition on.");
  field("label", o.label, "Column of classes to condition on.");
  field("classes", o.classes, non_negative(), "Number of classes.");
  field("weight", o.weight, "Column of row weights.");
  field("levels", o.levels, non_negative(), "Integer levels; 0 = continuous.");
  field("bounds", o.bounds, "[low, high]; empty = unbounded.");
  field("entropy", o.entropy, "Entropy of the data in nats.");
  field("plot_box", o.plot_box, "Half the side of the square to plot.");
}

Columns columns_of(const Dataset& dataset);

}  // namespace contraflow::data
