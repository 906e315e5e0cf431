#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/column_info.h"
#include "contraflow/core/event_info.h"
#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/data/rows.h"
#include "contraflow/data/source.h"

namespace contraflow::data {

/// A column that a model does not have, and why.
struct LeftOut {
  std::string name;
  std::string reason;
};

template <class Field>
void visit(LeftOut& o, Field&& field) {
  field("name", o.name, "Column.");
  field("reason", o.reason, "Why the model does not have it.");
}

/// How the cells of a column are read that holds no plain numbers.
struct NamedCells {
  std::string name;
  CellKind kind = CellKind::kNumber;
  std::vector<std::string> categories = {};  ///< Of kCategory: word k is class k.
};

template <class Field>
void visit(NamedCells& o, Field&& field) {
  field("name", o.name, "Column.");
  field("kind", o.kind, "number, boolean, date or category.");
  field("categories", o.categories, "Words of a category, in the order of the classes.");
}

/// What the columns of data mean, and what is known about the events made of them. A trained model
/// keeps it, to read other files alike.
struct CF_EXPORT Columns {
  /// Shape of one event; [names.size()] for rows of columns.
  std::vector<int64_t> event_shape = {};
  /// What the density is over; empty for events of several dimensions.
  std::vector<std::string> names = {};
  std::vector<std::string> condition = {};  ///< Given numbers.
  std::string label = "";  ///< Given class 0 .. classes - 1, one-hot; empty = none.
  int64_t classes = 0;     ///< Number of classes; 0 = without a label.
  std::vector<int64_t> empty_classes = {};  ///< Of which the data have no row.
  std::string weight = "";                  ///< Importance of the row, >= 0; empty = none.
  int64_t levels = 0;               ///< Values are integers 0 .. levels - 1; 0 = continuous.
  std::vector<double> bounds = {};  ///< [low, high] that values cannot leave; empty = unbounded.
  /// What each of `names` is, from the training rows; empty = nothing is known (toys, images).
  std::vector<ColumnInfo> infos = {};
  /// Of `condition`, from the training rows; empty = taken as they are.
  std::vector<ConditionScale> condition_scale = {};
  /// Columns that hold booleans, dates or words; the others hold numbers.
  std::vector<NamedCells> cells = {};
  std::vector<std::string> missing = {};  ///< Further marks of missing cells.
  /// Columns of the training's file that are not in the model.
  std::vector<LeftOut> left_out = {};
  /// Numbers in that file of to_read(without weight), for files that have no names; empty = none.
  std::vector<int64_t> file_numbers = {};
  /// [channels, height, width] of the image whose pixels the event holds in this order; empty = the
  /// event is no image.
  std::vector<int64_t> image = {};
  /// True entropy in nats (given the condition, if any), where it is known: no model's negative
  /// log-likelihood can be below.
  std::optional<double> entropy = std::nullopt;
  /// Half the side of the square to plot a 2-D density on, where it is known.
  std::optional<double> plot_box = std::nullopt;

  /// Numbers in one event.
  int64_t dim() const;
  /// Numbers that a model is conditioned on: those of `condition`, then the classes.
  int64_t condition_size() const;
  /// Some column is one of levels or steps: noise is added to it, so that mean log-densities are lower
  /// bounds on the logarithm of a probability.
  bool has_steps() const;
  /// What a model of the events needs to know.
  EventInfo event_info() const;
  /// The columns to read, in the order that to_batch() takes them in.
  std::vector<std::string> to_read(bool with_weight = true) const;

  /// Cuts rows [n, to_read().size()] into x, condition and weight of type `dtype`.
  /// DomainError: a label that is not a known class, a negative weight; `first_row` is the number
  /// of the first row, for messages and Batch::first_row.
  Batch to_batch(const at::Tensor& rows, at::ScalarType dtype, const std::string& source,
                 int64_t first_row = 0, bool with_weight = true) const;
  /// The same for rows that may hold anything: a label that is no class makes the condition NaN.
  Batch to_lenient_batch(const at::Tensor& rows, at::ScalarType dtype, const std::string& source,
                         int64_t first_row = 0) const;
  /// Words of the label's classes; empty where they are numbers.
  std::vector<std::string> class_names() const;
  /// The same without x.
  Batch given(const at::Tensor& rows, at::ScalarType dtype, const std::string& source,
              int64_t first_row = 0, bool with_weight = true) const;
};

template <class Field>
void visit(Columns& o, Field&& field) {
  field("event_shape", o.event_shape, non_empty(), "Shape of one event.");
  field("columns", o.names, "Columns of the density.");
  field("condition", o.condition, "Columns of numbers to condition on.");
  field("label", o.label, "Column of classes to condition on.");
  field("classes", o.classes, non_negative(), "Number of classes.");
  field("empty_classes", o.empty_classes, non_negative(), "Classes without a row.");
  field("weight", o.weight, "Column of row weights.");
  field("levels", o.levels, non_negative(), "Integer levels; 0 = continuous.");
  field("bounds", o.bounds, "[low, high]; empty = unbounded.");
  field("infos", o.infos, "What each column is.");
  field("condition_scale", o.condition_scale, "Standardisation of the condition.");
  field("cells", o.cells, "Columns of booleans, dates and words.");
  field("missing", o.missing, "Further marks of missing cells.");
  field("left_out", o.left_out, "Columns of the file that are not in the model.");
  field("file_numbers", o.file_numbers, non_negative(), "Numbers of the columns in the file.");
  field("image", o.image, positive(), "[channels, height, width] of an image; empty = none.");
  field("entropy", o.entropy, "Entropy of the data in nats.");
  field("plot_box", o.plot_box, "Half the side of the square to plot.");
}

/// Number of classes among labels [n]: the largest one plus 1. DomainError unless all are integers
/// from 0 to 9,999.
CF_EXPORT int64_t count_classes(const at::Tensor& labels, const std::string& source);

}  // namespace contraflow::data
