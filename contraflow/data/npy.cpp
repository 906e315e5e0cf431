#include "contraflow/data/npy.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/core/error.h"

namespace contraflow::data {
namespace {

constexpr size_t kStreamedHeaderBytes = 128;

const char* descr_of(const char* where, at::ScalarType dtype) {
  if (dtype == at::kFloat) return "<f4";
  if (dtype == at::kDouble) return "<f8";
  if (dtype == at::kLong) return "<i8";
  fail<DtypeError>(where, "dtype", "float32, float64 or int64", c10::toString(dtype),
                   "Convert the values with to().");
}

std::string_view bytes_of(const at::Tensor& t) {
  return {static_cast<const char*>(t.const_data_ptr()), t.nbytes()};
}

}  // namespace

NpyReader::NpyReader(const std::filesystem::path& path, const FileOptions& options)
    : file_(path), type_(options.keep_type ? file_.kept_type() : at::kDouble) {
  if (file_.header().shape.empty()) {
    fail<IoError>("read_npy", file_.name(), "rows, that is shape [N, ...]", "a single value",
                  "Save an array with one row per sample.");
  }
  const std::vector<int64_t> event = file_.event_shape();
  const bool is_table = event.size() <= 1;
  if (file_.rows() == 0 || std::count(event.begin(), event.end(), 0) > 0) {
    fail<IoError>("read_npy", file_.name(), "rows with values",
                  "shape " + c10::str(at::IntArrayRef(file_.header().shape)),
                  "Check that the file was written completely.");
  }
  if (!is_table && !options.columns.empty()) {
    fail<ConfigError>("read_npy", file_.name(), "a table, to select columns of",
                      "events of shape " + c10::str(at::IntArrayRef(event)),
                      "Leave columns empty.");
  }
  if (!is_table) return;
  const int64_t count = event.empty() ? 1 : event[0];
  std::vector<std::string> names;
  for (int64_t c = 0; c < count; ++c) names.push_back("column_" + std::to_string(c));
  if (!options.columns.empty()) selected_ = find_columns(names, options.columns, file_.name());
  for (const int64_t c : selected_) columns_.push_back(names[static_cast<size_t>(c)]);
  if (selected_.empty()) columns_ = std::move(names);
}

std::vector<int64_t> NpyReader::event_shape() const {
  if (file_.event_shape().size() > 1) return file_.event_shape();
  return {static_cast<int64_t>(columns_.size())};
}

double NpyReader::fraction_read() const {
  return static_cast<double>(rows_read_) / static_cast<double>(file_.rows());
}

at::Tensor NpyReader::next(int64_t max_rows) {
  if (max_rows < 1) {
    fail<ShapeError>("read_npy", "max_rows", ">= 1", std::to_string(max_rows),
                     "Ask for some rows.");
  }
  const int64_t count = std::min(max_rows, file_.rows() - rows_read_);
  at::Tensor out = file_.read(rows_read_, count, type_);
  if (out.dim() == 1) out = out.unsqueeze(1);
  if (!selected_.empty()) out = out.index_select(1, at::tensor(selected_, at::kLong));
  const at::Tensor bad = at::isfinite(out).logical_not().flatten(1);
  if (bad.any().item<bool>()) {
    const at::Tensor first = bad.nonzero()[0];
    const int64_t row = first[0].item<int64_t>();
    const int64_t column = first[1].item<int64_t>();
    const std::string place = columns_.empty() ? "value " + std::to_string(column) + " of the event"
                                               : columns_[static_cast<size_t>(column)];
    fail<DomainError>("read_npy",
                      file_.name() + ", row " + std::to_string(rows_read_ + row) + ", " + place,
                      "a finite value", c10::str(out.flatten(1)[row][column].item<double>()),
                      "Remove or impute such rows; rows and columns count from 0.");
  }
  rows_read_ += count;
  return out;
}

NpyWriter::NpyWriter(const std::filesystem::path& path, int64_t columns, at::ScalarType dtype)
    : file_(path), columns_(columns), dtype_(dtype) {
  // The number of rows is not known yet: finish() writes the true header over this one.
  file_.write(make_npy_header(descr_of("write_npy", dtype), {0, columns}, kStreamedHeaderBytes));
}

void NpyWriter::append(const at::Tensor& rows) {
  check_rows("write_npy", rows, columns_);
  file_.write(bytes_of(rows.detach().to(at::kCPU, dtype_).contiguous()));
  rows_ += rows.size(0);
}

void NpyWriter::finish() {
  file_.overwrite_start(
      make_npy_header(descr_of("write_npy", dtype_), {rows_, columns_}, kStreamedHeaderBytes));
  file_.commit();
}

}  // namespace contraflow::data
