#include "contraflow/data/rows.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <unordered_map>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/csv.h"
#include "contraflow/data/message.h"
#include "contraflow/data/npy.h"
#include "contraflow/data/row_file.h"

namespace contraflow::data {
namespace {

// Every name once.
void check_unique(const std::vector<std::string>& names, const std::string& source) {
  std::unordered_map<std::string_view, size_t> first;
  for (size_t c = 0; c < names.size(); ++c) {
    const auto [found, is_new] = first.emplace(names[c], c);
    if (is_new) continue;
    fail<ConfigError>("columns", source, "names that one column has",
                      in_quotes(names[c]) + ", which columns " + std::to_string(found->second) +
                          " and " + std::to_string(c) + " have",
                      "Rename one of them, or choose columns by their numbers.");
  }
}

// The column that `wanted` stands for: a name first, since files may have numbers for names.
int64_t find_column(const std::vector<std::string>& names, const std::string& wanted,
                    const std::string& source) {
  const std::string expected = "a column, by name or by number from 0 to " +
                               std::to_string(static_cast<int64_t>(names.size()) - 1);
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found != names.end()) {
    const auto second = std::find(found + 1, names.end(), wanted);
    if (second == names.end()) return found - names.begin();
    fail<ConfigError>("columns", source, "a name that one column has",
                      in_quotes(wanted) + ", which several have: columns " +
                          std::to_string(found - names.begin()) + " and " +
                          std::to_string(second - names.begin()),
                      "Give its number instead.");
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
  fail<ConfigError>("rows", path.string(),
                    "a name that ends in .csv, .tsv, .txt or .npy, each also with .gz, or in .npz",
                    extension.empty() ? "none of these" : in_quotes(extension),
                    "Convert the file, or rename it if its name is misleading.");
}

}  // namespace

std::vector<int64_t> find_columns(const std::vector<std::string>& names,
                                  const std::vector<std::string>& wanted,
                                  const std::string& source) {
  std::vector<int64_t> out;
  if (wanted.empty()) {
    check_unique(names, source);
    out.resize(names.size());
    std::iota(out.begin(), out.end(), 0);
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
  const RowFileKind kind = parse_row_file(path).kind;
  return kind == RowFileKind::kCsv || kind == RowFileKind::kTsv;
}

bool is_row_file(const std::filesystem::path& path) {
  return parse_row_file(path).kind != RowFileKind::kOther;
}

void check_row_file(const std::filesystem::path& path) {
  if (!is_row_file(path)) fail_extension(path);
}

std::unique_ptr<RowReader> open_rows(const std::filesystem::path& path,
                                     const FileOptions& options) {
  check_row_file(path);
  if (is_text_file(path)) return std::make_unique<CsvReader>(path, options);
  return std::make_unique<NpyReader>(path, options);
}

std::unique_ptr<RowWriter> create_rows(const std::filesystem::path& path,
                                       const std::vector<std::string>& columns,
                                       at::ScalarType dtype,
                                       const std::vector<std::string>& texts) {
  check_row_file(path);
  if (is_text_file(path)) return std::make_unique<CsvWriter>(path, columns, texts);
  if (parse_row_file(path).compression != Compression::kNone) {
    fail<ConfigError>("rows", path.string(),
                      "to write .csv, .tsv or .txt, each also with .gz, or .npy",
                      "a compressed array", "Write an .npy file and compress it afterwards.");
  }
  if (!texts.empty()) {
    fail<ConfigError>("rows", path.string(), "numbers, which are all that an .npy file holds",
                      "the columns of text " + shorten(join(texts, ", "), 200),
                      "Write a .csv file, or leave these columns out.");
  }
  return std::make_unique<NpyWriter>(path, static_cast<int64_t>(columns.size()), dtype);
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
