#include "contraflow/data/columns.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "contraflow/core/bad_value.h"
#include "contraflow/core/error.h"

namespace contraflow::data {
namespace {

// Throws for the first entry of `bad` [n].
void require_none(const at::Tensor& values, const at::Tensor& bad, const std::string& place,
                  int64_t first_row, const std::string& expected, const char* remedy) {
  const auto found = first_bad(values, bad);
  if (!found) return;
  fail<DomainError>("columns", place + ", row " + std::to_string(first_row + found->row), expected,
                    c10::str(found->value), remedy);
}

at::Tensor not_in_classes(const at::Tensor& labels, int64_t classes) {
  return (labels != labels.round()).logical_or(labels < 0).logical_or(labels >= classes);
}

}  // namespace

int64_t Columns::dim() const {
  int64_t size = event_shape.empty() ? 0 : 1;
  for (const int64_t axis : event_shape) size *= axis;
  return size;
}

bool Columns::has_steps() const {
  return levels > 0 || std::any_of(infos.begin(), infos.end(),
                                   [](const ColumnInfo& info) { return info.whole(); });
}

EventInfo Columns::event_info() const {
  return {.event = event_shape,
          .condition = condition_size(),
          .classes = classes,
          .levels = levels,
          .bounds = bounds,
          .columns = infos,
          .condition_scale = condition_scale};
}

std::vector<std::string> Columns::to_read(bool with_weight) const {
  std::vector<std::string> out = names;
  out.insert(out.end(), condition.begin(), condition.end());
  if (!label.empty()) out.push_back(label);
  if (with_weight && !weight.empty()) out.push_back(weight);
  return out;
}

int64_t Columns::condition_size() const { return static_cast<int64_t>(condition.size()) + classes; }

Batch Columns::to_batch(const at::Tensor& rows, at::ScalarType dtype, const std::string& source,
                        int64_t first_row, bool with_weight) const {
  Batch out = given(rows, dtype, source, first_row, with_weight);
  out.x = rows.narrow(1, 0, static_cast<int64_t>(names.size())).to(dtype).contiguous();
  return out;
}

Batch Columns::to_lenient_batch(const at::Tensor& rows, at::ScalarType dtype,
                                const std::string& source, int64_t first_row) const {
  if (label.empty()) return to_batch(rows, dtype, source, first_row, /*with_weight=*/false);
  const auto place = static_cast<int64_t>(names.size() + condition.size());
  const at::Tensor labels = rows.select(1, place).to(at::kDouble);
  const at::Tensor bad = not_in_classes(labels, classes).logical_or(labels.isnan());
  at::Tensor good = rows.clone();
  good.select(1, place).copy_(at::where(bad, at::zeros_like(labels), labels));
  Batch out = to_batch(good, dtype, source, first_row, /*with_weight=*/false);
  out.condition.masked_fill_(bad.unsqueeze(1), std::numeric_limits<double>::quiet_NaN());
  return out;
}

std::vector<std::string> Columns::class_names() const {
  for (const NamedCells& column : cells) {
    if (column.name == label) return column.categories;
  }
  return {};
}

Batch Columns::given(const at::Tensor& rows, at::ScalarType dtype, const std::string& source,
                     int64_t first_row, bool with_weight) const {
  const auto width = static_cast<int64_t>(names.size());
  const auto numbers = static_cast<int64_t>(condition.size());
  Batch out;
  out.first_row = first_row;
  int64_t next = width + numbers;
  std::vector<at::Tensor> parts;
  if (numbers > 0) parts.push_back(rows.narrow(1, width, numbers).to(dtype));
  if (!label.empty()) {
    const at::Tensor labels = rows.select(1, next++).to(at::kDouble);
    require_none(labels, not_in_classes(labels, classes), source + ", label '" + label + "'",
                 first_row, "a class from 0 to " + std::to_string(classes - 1),
                 "Use the classes that the model was trained with.");
    parts.push_back(at::one_hot(labels.to(at::kLong), classes).to(dtype));
  }
  if (!parts.empty()) out.condition = at::cat(parts, 1);
  if (with_weight && !weight.empty()) {
    const at::Tensor weights = rows.select(1, next).to(at::kDouble);
    require_none(weights, weights < 0, source + ", weight '" + weight + "'", first_row,
                 "a weight >= 0", "Remove such rows, or train without weights.");
    out.weight = weights.to(dtype).contiguous();
  }
  return out;
}

int64_t count_classes(const at::Tensor& values, const std::string& source) {
  const at::Tensor labels = values.to(at::kDouble);
  constexpr int64_t kMostClasses = 10000;  // one-hot columns of a condition
  require_none(labels, not_in_classes(labels, kMostClasses), source, 0,
               "a class number from 0 to " + std::to_string(kMostClasses - 1),
               "Number the classes 0, 1, ...; use condition for other values.");
  return labels.max().item<int64_t>() + 1;
}

}  // namespace contraflow::data
