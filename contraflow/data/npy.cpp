#include "contraflow/data/npy.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/message.h"
#include "contraflow/data/npy_cells.h"
#include "contraflow/data/npy_values.h"
#include "contraflow/data/npz.h"

namespace contraflow::data {
namespace {

constexpr const char* kReadArray = "read_npy";

[[noreturn]] void fail_shape(const NpyFile& file, const std::string& expected,
                             const std::string& remedy) {
  fail<IoError>(kReadArray, file.name(), expected,
                "shape " + c10::str(at::IntArrayRef(file.header().shape)), remedy);
}

}  // namespace

NpyReader::NpyReader(const std::filesystem::path& path, const FileOptions& options)
    : arrays_(open_arrays(parse_row_file(path))), name_(path.string()) {
  format_.compression = parse_row_file(path).compression;
  check_shapes(options);
  list_columns();
  select(options);
  cells_ = std::make_unique<NpyCells>(options, columns_);
  bad_cells_ = options.bad_cells;
  const bool kept_type = options.keep_type && passes_.empty() && cells_->is_plain();
  type_ = kept_type ? arrays_[0].file.kept_type() : at::kDouble;
}

NpyReader::~NpyReader() = default;

void NpyReader::check_shapes(const FileOptions& options) {
  for (const auto& [name, file] : arrays_) {
    const std::vector<int64_t> event = file.event_shape();
    if (file.header().shape.empty()) {
      fail<IoError>(kReadArray, file.name(), "rows, that is shape [N, ...]", "a single value",
                    "Save an array with one row per sample.");
    }
    if (file.rows() == 0 || std::count(event.begin(), event.end(), 0) > 0) {
      fail_shape(file, "rows with values", "Check that the file was written completely.");
    }
    if (!file.header().fields.empty() && !event.empty()) {
      fail_shape(file, "records of one dimension", "Save them with reshape(-1).");
    }
    if (event.size() > 1 && !(options.columns.empty() && options.keep.empty())) {
      fail<ConfigError>(kReadArray, file.name(), "a table, to select columns of",
                        "events of shape " + c10::str(at::IntArrayRef(event)),
                        "Leave columns empty.");
    }
  }
}

void NpyReader::list_columns() {
  for (size_t a = 0; a < arrays_.size(); ++a) add_columns(a);
  std::vector<std::string> left_out;
  for (size_t c = 0; c < all_.size(); ++c) {
    if (!all_[c].type) left_out.push_back(names_[c] + " (" + all_[c].descr + ")");
  }
  if (left_out.empty()) return;
  notes_.push_back("left out, because they hold no numbers: " + shorten(join(left_out, ", "), 300));
  if (left_out.size() < all_.size()) return;
  fail<IoError>(kReadArray, name_, "a field that holds numbers", shorten(join(left_out, ", "), 200),
                "Save an array of numbers.");
}

void NpyReader::add_columns(size_t array) {
  const NpyFile& file = arrays_[array].file;
  const std::string& prefix = arrays_[array].name;
  const NpyHeader& header = file.header();
  for (size_t f = 0; f < header.fields.size(); ++f) {
    const NpyField& field = header.fields[f];
    all_.push_back({array, static_cast<int64_t>(f), field.type, field.descr});
    names_.push_back(prefix.empty() ? field.name : prefix + "_" + field.name);
  }
  const std::vector<int64_t> event = file.event_shape();
  if (!header.fields.empty() || event.size() > 1) return;
  const int64_t count = event.empty() ? 1 : event[0];
  static_cast<void>(file.most_rows());  // refuses more columns than a compressed file can have
  for (int64_t c = 0; c < count; ++c) {
    const std::string number = std::to_string(c);
    all_.push_back({array, c, header.type, ""});
    names_.push_back(prefix.empty() ? "column_" + number
                     : count == 1   ? prefix
                                    : prefix + "_" + number);
  }
}

// Numbers of the wanted columns that can be read; where none are wanted, of all that can.
std::vector<int64_t> NpyReader::find(const std::vector<std::string>& wanted) const {
  std::vector<int64_t> out = find_columns(names_, wanted, name_);
  if (wanted.empty()) {
    std::erase_if(out, [&](int64_t c) { return !all_[static_cast<size_t>(c)].type; });
  }
  for (const int64_t c : out) {
    const Column& column = all_[static_cast<size_t>(c)];
    if (column.type) continue;
    fail<ConfigError>(kReadArray, name_, "columns of numbers",
                      in_quotes(names_[static_cast<size_t>(c)]) + ", which holds " + column.descr,
                      "Leave it out of columns.");
  }
  return out;
}

void NpyReader::select(const FileOptions& options) {
  if (all_.empty()) {  // events
    types_.push_back(arrays_[0].file.header().type);
    return;
  }
  const std::vector<int64_t> selected = find(options.columns);
  for (const int64_t c : selected) {
    columns_.push_back(names_[static_cast<size_t>(c)]);
    types_.push_back(*all_[static_cast<size_t>(c)].type);
    numbers_.push_back(c);
  }
  const bool as_it_is = arrays_.size() == 1 && arrays_[0].file.header().fields.empty() &&
                        options.keep.empty() && options.columns.empty();
  if (as_it_is) return;
  plan(selected, options.keep.empty() ? std::vector<int64_t>() : find(options.keep));
}

void NpyReader::plan(const std::vector<int64_t>& selected, const std::vector<int64_t>& keep) {
  passes_.resize(arrays_.size());
  const auto places_in = [&](const std::vector<int64_t>& list) {
    std::vector<int64_t> out(all_.size(), -1);
    for (size_t i = 0; i < list.size(); ++i) {
      out[static_cast<size_t>(list[i])] = static_cast<int64_t>(i);
    }
    return out;
  };
  const std::vector<int64_t> slots = places_in(selected);
  const std::vector<int64_t> kept = places_in(keep);
  for (size_t c = 0; c < all_.size(); ++c) {
    if (slots[c] < 0 && kept[c] < 0) continue;
    Pass& pass = passes_[all_[c].array];
    pass.columns.push_back(all_[c].index);
    pass.slots.push_back(slots[c]);
    pass.kept.push_back(kept[c]);
  }
  kept_.resize(keep.size());
}

std::vector<int64_t> NpyReader::event_shape() const {
  if (all_.empty()) return arrays_[0].file.event_shape();
  return {static_cast<int64_t>(columns_.size())};
}

int64_t NpyReader::rows() const { return arrays_[0].file.rows(); }
FileFormat NpyReader::format() const { return format_; }

double NpyReader::fraction_read() const {
  return static_cast<double>(rows_read_) / static_cast<double>(rows());
}

at::Tensor NpyReader::next(int64_t max_rows) {
  if (max_rows < 1) {
    fail<ShapeError>(kReadArray, "max_rows", ">= 1", std::to_string(max_rows),
                     "Ask for some rows.");
  }
  int64_t count = std::min(max_rows, rows() - rows_read_);
  for (const NamedArray& array : arrays_) count = std::min(count, array.file.most_rows());
  bad_rows_.clear();
  for (auto& texts : kept_) texts.clear();
  const bool lenient = bad_cells_ != BadCells::kRefuse;
  at::Tensor out = passes_.empty() ? arrays_[0].file.read(rows_read_, count, type_, lenient)
                                   : read_columns(count);
  if (out.dim() == 1) out = out.unsqueeze(1);
  if (count > 0) settle(out);
  rows_read_ += count;
  return out;
}

at::Tensor NpyReader::read_columns(int64_t count) {
  const auto width = static_cast<int64_t>(columns_.size());
  at::Tensor out = at::empty({count, width}, at::TensorOptions().dtype(at::kDouble));
  if (count == 0) return out;
  double* first = out.data_ptr<double>();
  for (size_t a = 0; a < arrays_.size(); ++a) {
    const Pass& pass = passes_[a];
    if (pass.columns.empty()) continue;
    arrays_[a].file.visit_columns(rows_read_, count, pass.columns, [&](const NpyValues& values) {
      const int64_t slot = pass.slots[values.column];
      const int64_t kept = pass.kept[values.column];
      if (slot >= 0) to_doubles(values, first + values.first * width + slot, width);
      if (kept >= 0) append_texts(values, kept_[static_cast<size_t>(kept)]);
    });
  }
  return out;
}

// Looks at the cells one by one where some are not finite or do not stand for themselves.
void NpyReader::settle(at::Tensor& rows) {
  if (!rows.is_floating_point()) return;
  if (cells_->is_plain() && at::isfinite(rows).all().item<bool>()) return;
  const int64_t width = rows.numel() / rows.size(0);
  if (rows.scalar_type() == at::kFloat) {
    settle_cells(rows.data_ptr<float>(), rows.size(0), width);
  } else {
    settle_cells(rows.data_ptr<double>(), rows.size(0), width);
  }
}

template <class T>
void NpyReader::settle_cells(T* values, int64_t rows, int64_t width) {
  for (int64_t i = 0; i < rows * width; ++i) {
    const int64_t column = i % width;
    const NpyType& type = types_[columns_.empty() ? 0 : static_cast<size_t>(column)];
    auto value = static_cast<double>(values[i]);
    bool missing = false;
    if (cells_->settle(value, static_cast<size_t>(column), type, missing)) {
      values[i] = static_cast<T>(value);
      continue;
    }
    values[i] = std::numeric_limits<T>::quiet_NaN();
    if (missing && bad_cells_ == BadCells::kMissingAsNan) continue;
    const int64_t row = rows_read_ + i / width;
    const auto [expected, got] = cells_->complaint(value, static_cast<size_t>(column), type);
    if (bad_cells_ != BadCells::kAllAsNan) {
      fail<DomainError>(kReadArray, place(row, column), expected, got,
                        "Remove or impute such rows; rows and columns count from 0.");
    }
    if (!bad_rows_.empty() && bad_rows_.back().row == row) continue;
    bad_rows_.push_back({row, place(row, column) + ": expected " + expected + ", got " + got});
  }
}

std::string NpyReader::place(int64_t row, int64_t column) const {
  const std::string where = columns_.empty() ? "value " + std::to_string(column) + " of the event"
                                             : columns_[static_cast<size_t>(column)];
  return name_ + ", row " + std::to_string(row) + ", " + where;
}

}  // namespace contraflow::data
