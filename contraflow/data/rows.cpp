#include "contraflow/data/rows.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/csv.h"
#include "contraflow/data/message.h"
#include "contraflow/data/npy.h"

namespace contraflow::data {
namespace {

// The column that `wanted` stands for: a name first, since files may have numbers for names.
int64_t find_column(const std::vector<std::string>& names, const std::string& wanted,
                    const std::string& source) {
  const std::string expected = "a column, by name or by number from 0 to " +
                               std::to_string(static_cast<int64_t>(names.size()) - 1);
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found != names.end()) {
    if (std::find(found + 1, names.end(), wanted) == names.end()) return found - names.begin();
    fail<ConfigError>("columns", source, "a name that one column has",
                      in_quotes(wanted) + ", which several have", "Give its number instead.");
  }
  int64_t number = 0;
  const char* end = wanted.data() + wanted.size();
  const auto [stop, error] = std::from_chars(wanted.data(), end, number);
  const auto count = static_cast<int64_t>(names.size());
  if (error == std::errc() && stop == end && number >= -count && number < count) {
    return number < 0 ? number + count : number;
  }
  const auto near = nearest_match(wanted, names);
  fail<ConfigError>("columns", source, expected, in_quotes(wanted),
                    did_you_mean(near, "The file has " + shorten(join(names, ", "), 200) + "."));
}

[[noreturn]] void fail_extension(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  std::string remedy = "Convert the file, or rename it if its name is misleading.";
  if (extension == ".gz") remedy = "Decompress it first, for example with gunzip.";
  if (extension == ".npz") remedy = "Save the one array you mean with numpy.save().";
  fail<ConfigError>("rows", path.string(), "a name that ends in .csv, .tsv, .txt or .npy",
                    extension.empty() ? "none of these" : in_quotes(extension), remedy);
}

}  // namespace

std::vector<int64_t> find_columns(const std::vector<std::string>& names,
                                  const std::vector<std::string>& wanted,
                                  const std::string& source) {
  std::vector<int64_t> out;
  if (wanted.empty()) {
    for (size_t c = 0; c < names.size(); ++c) out.push_back(static_cast<int64_t>(c));
    return out;
  }
  for (const std::string& name : wanted) {
    const int64_t column = find_column(names, name, source);
    if (std::find(out.begin(), out.end(), column) != out.end()) {
      fail<ConfigError>("columns", source, "each column once", in_quotes(name) + " twice",
                        "Remove one of them.");
    }
    out.push_back(column);
  }
  return out;
}

bool is_text_file(const std::filesystem::path& path) {
  const auto extension = path.extension();
  return extension == ".csv" || extension == ".tsv" || extension == ".txt";
}

bool is_row_file(const std::filesystem::path& path) {
  return path.extension() == ".npy" || is_text_file(path);
}

void check_row_file(const std::filesystem::path& path) {
  if (!is_row_file(path)) fail_extension(path);
}

std::unique_ptr<RowReader> open_rows(const std::filesystem::path& path,
                                     const FileOptions& options) {
  if (path.extension() == ".npy") return std::make_unique<NpyReader>(path, options);
  if (is_text_file(path)) return std::make_unique<CsvReader>(path, options);
  fail_extension(path);
}

std::unique_ptr<RowWriter> create_rows(const std::filesystem::path& path,
                                       const std::vector<std::string>& columns,
                                       at::ScalarType dtype) {
  if (path.extension() == ".npy") {
    return std::make_unique<NpyWriter>(path, static_cast<int64_t>(columns.size()), dtype);
  }
  if (is_text_file(path)) return std::make_unique<CsvWriter>(path, columns);
  fail_extension(path);
}

at::Tensor read_all(RowReader& reader) {
  constexpr int64_t kChunkRows = 16384;
  std::vector<at::Tensor> parts;
  do {
    // A copy, since a chunk keeps room for kChunkRows rows however few it holds.
    parts.push_back(reader.next(kChunkRows).clone());
  } while (parts.back().size(0) > 0);
  return at::cat(parts);
}

void check_rows(const char* where, const at::Tensor& rows, int64_t columns) {
  if (rows.dim() != 2 || rows.size(1) != columns) {
    fail<ShapeError>(where, "rows", "[n, " + std::to_string(columns) + "]", c10::str(rows.sizes()),
                     "Pass one row per sample with one value per column.");
  }
  const auto type = rows.scalar_type();
  if (type == at::kFloat || type == at::kDouble || type == at::kLong) return;
  fail<DtypeError>(where, "rows", "float32, float64 or int64", c10::toString(type),
                   "Convert the rows with to().");
}

}  // namespace contraflow::data
