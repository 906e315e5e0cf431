#include <ATen/ATen.h>

#include <array>
#include <charconv>
#include <cmath>

#include "contraflow/core/error.h"
#include "contraflow/data/byte_sink.h"
#include "contraflow/data/csv.h"
#include "contraflow/data/row_file.h"

namespace contraflow::data {
namespace {

// A text with a delimiter, a quote, a line end or a space at its ends goes into quotes, with its own quotes
// doubled; so does one that a reader would take for a comment.
void append_text(const std::string& cell, char delimiter, std::string& text) {
  const bool special = cell.find(delimiter) != std::string::npos ||
                       cell.find_first_of("\"\r\n") != std::string::npos || cell.starts_with('#') ||
                       cell.starts_with(' ') || cell.ends_with(' ');
  if (!special) {
    text += cell;
    return;
  }
  text.push_back('"');
  for (const char c : cell) text.append(c == '"' ? 2 : 1, c);
  text.push_back('"');
}

template <class T>
void append_number(T value, std::string& text) {
  std::array<char, 32> digits{};  // the longest float64 takes 24
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text.append(digits.data(), end);
}

template <class T>
void append_rows(const at::Tensor& rows, const TextColumns& texts, char delimiter,
                 std::string& text) {
  const T* value = rows.const_data_ptr<T>();
  const int64_t columns = rows.size(1);
  const bool alone = columns == 1 && texts.empty();
  for (int64_t r = 0; r < rows.size(0); ++r) {
    for (size_t c = 0; c < texts.size(); ++c) {
      if (c > 0) text.push_back(delimiter);
      append_text(texts[c][static_cast<size_t>(r)], delimiter, text);
    }
    for (int64_t c = 0; c < columns; ++c, ++value) {
      if (c > 0 || !texts.empty()) text.push_back(delimiter);
      if (!std::isnan(static_cast<double>(*value))) {
        append_number(*value, text);
      } else if (alone) {
        text += "\"\"";  // an empty line would be no row
      }
    }
    text.push_back('\n');
  }
}

void check_texts(const TextColumns& texts, size_t columns, int64_t rows) {
  bool fits = texts.size() == columns;
  for (const auto& column : texts) fits = fits && static_cast<int64_t>(column.size()) == rows;
  if (fits) return;
  fail<ShapeError>("write_csv", "texts",
                   std::to_string(columns) + " columns of " + std::to_string(rows) + " texts",
                   std::to_string(texts.size()) + " columns" +
                       (texts.empty() ? "" : ", the first of " + std::to_string(texts[0].size())),
                   "Pass one text per row for each column of text that the file was made with.");
}

}  // namespace

CsvWriter::CsvWriter(const std::filesystem::path& path, const std::vector<std::string>& columns,
                     const std::vector<std::string>& texts)
    : file_(create_bytes(path, parse_row_file(path).compression)),
      delimiter_(parse_row_file(path).kind == RowFileKind::kTsv ? '\t' : ','),
      columns_(static_cast<int64_t>(columns.size())),
      texts_(texts.size()) {
  std::vector<std::string> names = texts;
  names.insert(names.end(), columns.begin(), columns.end());
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text_.push_back(delimiter_);
    append_text(names[i], delimiter_, text_);
  }
  text_.push_back('\n');
  file_->write(text_);
}

CsvWriter::~CsvWriter() = default;

void CsvWriter::append(const at::Tensor& rows, const TextColumns& texts) {
  check_rows("write_csv", rows, columns_);
  check_texts(texts, texts_, rows.size(0));
  const at::Tensor plain = rows.detach().cpu().contiguous();
  text_.clear();
  if (plain.scalar_type() == at::kFloat) {
    append_rows<float>(plain, texts, delimiter_, text_);
  } else if (plain.scalar_type() == at::kDouble) {
    append_rows<double>(plain, texts, delimiter_, text_);
  } else {
    append_rows<int64_t>(plain, texts, delimiter_, text_);
  }
  file_->write(text_);
}

void CsvWriter::finish() { file_->commit(); }

}  // namespace contraflow::data
