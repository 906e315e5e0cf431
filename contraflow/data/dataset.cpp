#include "contraflow/data/dataset.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "contraflow/core/error.h"
#include "contraflow/core/rng.h"
#include "contraflow/core/text.h"
#include "contraflow/data/digits.h"
#include "contraflow/data/message.h"
#include "contraflow/data/sources.h"
#include "contraflow/data/table.h"
#include "contraflow/data/toy.h"
#include "contraflow/data/weights.h"

namespace contraflow::data {
namespace {

constexpr const char* kData = "data";
constexpr const char* kBuiltinLabel = "label";  // of the digits and the toys

Rng rng_of(const DataOptions& options) {
  return Rng(static_cast<uint64_t>(options.seed)).fork("data");
}

SourcePtr table_part(const char* part, const Batch& all, const at::Tensor& rows, const Rng& rng) {
  if (rows.size(0) == 0) return nullptr;
  const auto pick = [&](const at::Tensor& t) {
    return t.defined() ? t.index_select(0, rows) : at::Tensor();
  };
  return std::make_shared<TensorSource>(part, pick(all.x), pick(all.condition), pick(all.weight),
                                        rng.fork("order").fork(part));
}

// Weights [rows] of a file of their own.
at::Tensor read_weights(const std::string& path, int64_t rows, const std::string& data) {
  const Table table = read_table(path);
  if (table.rows.size(1) != 1 || table.rows.size(0) != rows) {
    fail<ShapeError>(kData, "weight '" + path + "'",
                     "one column of " + std::to_string(rows) + " rows, one for each row of " + data,
                     c10::str(table.rows.sizes()), "Give one weight per row, in the same order.");
  }
  return table.rows.select(1, 0);
}

// Checks the columns to be modelled, cuts the rows into parts, and fills `out`.
void split_table(const Table& table, const std::vector<int64_t>& event_shape,
                 const DataOptions& options, at::ScalarType dtype, Dataset& out) {
  const auto width = static_cast<int64_t>(out.layout.columns.size());
  TableRules rules{.allow_constant_columns = out.levels.has_value(),
                   .levels = out.levels.value_or(0)};
  if (!options.bounds.empty()) {
    out.low = rules.low = options.bounds[0];
    out.high = rules.high = options.bounds[1];
  }
  check_table({out.layout.columns, table.rows.narrow(1, 0, width), table.source}, rules);
  if (!out.layout.label.empty()) {
    const auto column = width + static_cast<int64_t>(out.layout.condition.size());
    out.layout.classes = count_classes(table.rows.select(1, column), table.source);
  }
  Batch all = out.layout.to_batch(table.rows, dtype, table.source);
  std::vector<int64_t> shape{table.rows.size(0)};
  shape.insert(shape.end(), event_shape.begin(), event_shape.end());
  all.x = all.x.reshape(shape);
  if (!options.weight.empty() && out.layout.weight.empty()) {
    const at::Tensor weight = read_weights(options.weight, table.rows.size(0), options.name);
    check_weights(kData, "weight '" + options.weight + "'", weight);
    all.weight = weight.to(dtype);
  }
  const Rng rng = rng_of(options);
  const SplitSizes sizes{options.validation_fraction, options.test_fraction,
                         options.validation_rows, options.test_rows};
  const SplitRows rows = split_rows(table.rows.size(0), sizes, rng.fork("split"));
  out.splits = {table_part("train", all, rows.train, rng),
                table_part("validation", all, rows.validation, rng),
                table_part("test", all, rows.test, rng)};
  out.event_shape = event_shape;
}

// The name of column `index`, or its number where the name stands for several columns.
std::string reference(const std::vector<std::string>& names, int64_t index) {
  const std::string& name = names[static_cast<size_t>(index)];
  return std::count(names.begin(), names.end(), name) == 1 ? name : std::to_string(index);
}

// Gives every column of `names` its meaning. `only_given` is a column that may be a condition or a
// label and is not modelled.
RowLayout resolve_layout(const std::vector<std::string>& names, const DataOptions& options,
                         const std::string& only_given = "") {
  const std::string& source = options.name;
  std::vector<bool> taken(names.size(), false);
  const auto take = [&](const std::vector<std::string>& wanted) {
    std::vector<std::string> out;
    if (wanted.empty()) return out;
    for (const int64_t c : find_columns(names, wanted, source)) {
      if (taken[static_cast<size_t>(c)]) {
        fail<ConfigError>(kData, source, "one meaning for each column",
                          in_quotes(names[static_cast<size_t>(c)]) + " with two",
                          "Name it in one of columns, condition, label and weight.");
      }
      taken[static_cast<size_t>(c)] = true;
      out.push_back(reference(names, c));
    }
    return out;
  };
  RowLayout layout;
  layout.condition = take(options.condition);
  if (!options.label.empty()) layout.label = take({options.label})[0];
  if (!options.weight.empty() && !is_row_file(options.weight)) {
    layout.weight = take({options.weight})[0];
  }
  layout.columns = take(options.columns);
  for (const std::string& name : layout.columns) {
    if (only_given.empty() || name != only_given) continue;
    fail<ConfigError>(kData, "columns", "columns with a density", in_quotes(name) + ", a class",
                      "Remove it; label = " + in_quotes(name) + " conditions on it.");
  }
  if (!options.columns.empty()) return layout;
  for (size_t c = 0; c < names.size(); ++c) {
    const bool hidden = !only_given.empty() && names[c] == only_given;
    if (!taken[c] && !hidden) layout.columns.push_back(reference(names, static_cast<int64_t>(c)));
  }
  if (layout.columns.empty()) {
    fail<ConfigError>(kData, source, "a column to model", "none that is left",
                      "Remove one from condition, label or weight.");
  }
  return layout;
}

// A fixed sample of a toy density, from a stream of its own.
SourcePtr toy_part(const char* part, int64_t rows, const ToySource& stream, const Rng& order) {
  if (rows == 0) return nullptr;
  const Batch all = stream.rows(0, rows);
  return std::make_shared<TensorSource>(part, all.x, all.condition, at::Tensor(), order);
}

// Columns of a toy density and the label, where it has one.
RowLayout toy_layout(const ToyDensity& density, const DataOptions& options) {
  if (!options.weight.empty() || options.levels != 0 || !options.bounds.empty()) {
    fail<ConfigError>(kData, "name", "a file, to choose weight, levels or bounds of",
                      "the toy density '" + options.name + "'",
                      "Remove weight, levels and bounds.");
  }
  if (!options.label.empty() && options.label != kBuiltinLabel) {
    fail<ConfigError>(kData, "label", in_quotes(kBuiltinLabel) + ", the part a sample is from",
                      in_quotes(options.label), "Use condition for a column of numbers.");
  }
  if (!options.label.empty() && density.labels == 1) {
    fail<ConfigError>(kData, "label", "a toy density of several parts",
                      in_quotes(options.name) + ", which is one piece",
                      "Remove label, or choose for example 8gaussians.");
  }
  RowLayout layout = resolve_layout(toy_columns(density), options, kBuiltinLabel);
  if (!layout.label.empty()) layout.classes = density.labels;
  return layout;
}

// Known for both columns, given the label or nothing.
std::optional<double> entropy_of(const ToyDensity& density, const RowLayout& layout) {
  if (layout.columns.size() != 2 || !layout.condition.empty()) return std::nullopt;
  return layout.label.empty() ? density.entropy : density.entropy_given_label;
}

Dataset open_toy(const ToyDensity& density, const DataOptions& options, at::ScalarType dtype) {
  constexpr int64_t kValidationRows = 10'000;
  constexpr int64_t kTestRows = 100'000;
  const Rng rng = rng_of(options);
  Dataset out;
  out.name = options.name;
  out.layout = toy_layout(density, options);
  const auto part = [&](const char* name, int64_t rows) {
    const Rng own = rng.fork(name);
    return toy_part(name, rows, ToySource(density.name, own, dtype, out.layout), own.fork("order"));
  };
  out.splits.train =
      std::make_shared<ToySource>(density.name, rng.fork("train"), dtype, out.layout);
  out.splits.validation = part("validation", options.validation_rows.value_or(kValidationRows));
  out.splits.test = part("test", options.test_rows.value_or(kTestRows));
  out.event_shape = {static_cast<int64_t>(out.layout.columns.size())};
  out.entropy = entropy_of(density, out.layout);
  out.plot_box = density.box;
  return out;
}

Dataset open_digits(DataOptions options, at::ScalarType dtype) {
  const Digits digits = load_digits();
  Table table{{}, at::cat({digits.x, digits.labels.to(at::kDouble).unsqueeze(1)}, 1), "digits"};
  for (int64_t p = 0; p < Digits::kPixels; ++p) {
    table.columns.push_back("pixel_" + std::to_string(p / 8) + "_" + std::to_string(p % 8));
  }
  table.columns.emplace_back(kBuiltinLabel);
  if (options.levels != 0 && options.levels != Digits::kLevels) {
    fail<ConfigError>(kData, "levels", "17, or unset, for the digits",
                      std::to_string(options.levels), "Remove levels.");
  }
  if (!options.bounds.empty() || !options.weight.empty() || !options.condition.empty()) {
    fail<ConfigError>(kData, "digits", "pixels, and the label as the only condition",
                      "bounds, weight or condition",
                      "Remove these; label = \"label\" is possible.");
  }
  if (!options.validation_rows) options.validation_rows = 144;
  if (!options.test_rows) options.test_rows = 360;
  Dataset out;
  out.name = "digits";
  out.levels = Digits::kLevels;
  out.layout = resolve_layout(table.columns, options, kBuiltinLabel);
  const std::vector<int64_t> order =
      find_columns(table.columns, out.layout.to_read(), table.source);
  table.rows = table.rows.index_select(1, at::tensor(order, at::kLong));
  const auto width = static_cast<int64_t>(out.layout.columns.size());
  split_table(table, {width}, options, dtype, out);
  return out;
}

Dataset open_file(const DataOptions& options, at::ScalarType dtype) {
  FileOptions file;
  file.header = options.header;
  file.delimiter = options.delimiter;
  const auto opened = open_rows(options.name, file);
  Dataset out;
  out.name = options.name;
  if (options.levels > 0) out.levels = options.levels;
  if (opened->columns().empty()) {  // events of several dimensions have no columns to choose from
    const bool weight_column = !options.weight.empty() && !is_row_file(options.weight);
    if (!options.condition.empty() || !options.label.empty() || weight_column ||
        !options.columns.empty()) {
      fail<ConfigError>(
          kData, options.name, "a table, to choose columns of",
          "events of shape " + c10::str(at::IntArrayRef(opened->event_shape())),
          "Remove columns, condition and label; weights may come from a file of their own.");
    }
    const Table table = read_table(options.name, file);
    out.layout.columns = table.columns;
    split_table(table, opened->event_shape(), options, dtype, out);
    out.layout.columns.clear();
    return out;
  }
  out.layout = resolve_layout(opened->columns(), options);
  file.columns = out.layout.to_read();
  const Table table = read_table(options.name, file);
  split_table(table, {static_cast<int64_t>(out.layout.columns.size())}, options, dtype, out);
  return out;
}

// Neither built in nor an existing file.
[[noreturn]] void fail_unknown(const std::string& name) {
  namespace fs = std::filesystem;
  const fs::path path(name);
  std::error_code error;
  if (path.has_extension() || path.has_parent_path()) {
    std::vector<std::string> siblings;
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      siblings.push_back(entry.path().filename().string());
    }
    auto near = nearest_match(path.filename().string(), siblings);
    if (near) near = (path.parent_path() / *near).string();
    fail<IoError>(kData, "name", "a file", in_quotes(name, 200) + ", which does not exist",
                  did_you_mean(near, "Check the path; relative ones count from " +
                                         fs::current_path(error).string() + "."));
  }
  const std::vector<std::string> names = builtin_data_names();
  const auto near = nearest_match(name, names);
  fail<ConfigError>(kData, "name", "one of " + join(names, ", ") + ", or the path of a file",
                    in_quotes(name),
                    did_you_mean(near, "Choose a name of the list, or a .csv or .npy file."));
}

}  // namespace

void validate(const DataOptions& options) {
  if (!options.bounds.empty() &&
      !(options.bounds.size() == 2 && options.bounds[0] < options.bounds[1])) {
    fail<ConfigError>(kData, "bounds", "[low, high] with low < high",
                      c10::str(at::ArrayRef<double>(options.bounds)),
                      "For example bounds = [0, 1].");
  }
  if (!options.bounds.empty() && options.levels > 0) {
    fail<ConfigError>(kData, "bounds", "levels or bounds", "both",
                      "Integers 0 .. levels - 1 are bounded already; remove bounds.");
  }
}

std::vector<std::string> builtin_data_names() {
  std::vector<std::string> names;
  for (const ToyDensity& density : toy_densities()) names.emplace_back(density.name);
  names.emplace_back("digits");
  return names;
}

Dataset open_data(const DataOptions& options, at::ScalarType dtype) {
  check_options(options, kData);
  if (const ToyDensity* toy = find_toy(options.name)) return open_toy(*toy, options, dtype);
  if (options.name == "digits") return open_digits(options, dtype);
  std::error_code error;
  if (!std::filesystem::exists(options.name, error)) fail_unknown(options.name);
  return open_file(options, dtype);
}

}  // namespace contraflow::data
