#include "contraflow/data/csv_records.h"

#include <algorithm>

#include "contraflow/core/error.h"
#include "contraflow/data/cells.h"
#include "contraflow/data/csv_sniff.h"
#include "contraflow/data/message.h"
#include "contraflow/data/row_file.h"
#include "contraflow/data/text_encoding.h"

namespace contraflow::data {
namespace {

constexpr const char* kReadRecords = "read_csv";
constexpr size_t kSniffedRecords = 100;

// Column names that a program wrote for want of others: 0, 1, 2, ..., perhaps after an empty one.
bool counts_up(const std::vector<std::string>& cells) {
  const size_t start = cells[0].empty() ? 1 : 0;
  for (size_t i = start; i < cells.size(); ++i) {
    if (cells[i] != std::to_string(i - start)) return false;
  }
  return cells.size() > 1;
}

bool is_integer(std::string_view field) {
  return as_number(field) && field.find_first_of(".eE") == std::string_view::npos;
}

std::vector<std::string> trimmed(const std::vector<std::string_view>& fields) {
  std::vector<std::string> out;
  for (const std::string_view field : fields) out.emplace_back(trim(field));
  return out;
}

// Values of the first record, and those that are neither a value nor missing.
struct FirstRecord {
  int64_t numbers = 0;
  int64_t words = 0;
};

FirstRecord count_cells(const std::vector<std::string>& cells, DecimalMark decimal) {
  FirstRecord out;
  for (const std::string& cell : cells) {
    const bool number = as_number(cell, decimal).has_value();
    if (number) ++out.numbers;
    if (!number && !stands_for_missing(cell)) ++out.words;
  }
  return out;
}

}  // namespace

CsvRecords::CsvRecords(const std::filesystem::path& path, const FileOptions& options)
    : options_(options),
      scanner_(open_bytes(path, parse_row_file(path).compression),
               path == "-" ? "the standard input" : path.string(), options.max_record_bytes,
               options.bad_cells == BadCells::kAllAsNan),
      lenient_(options.bad_cells == BadCells::kAllAsNan) {
  format_.compression = parse_row_file(path).compression;
  sniff(path);
  read_names();
}

// A delimiter that the file's first line names is as good as one that the user names.
void CsvRecords::take_separator_line() {
  const char named = scanner_.separator();
  if (named == 0) return;
  const std::string line = "the first line, " + in_quotes(std::string("sep=") + named) + ", ";
  for (const CsvDelimiter known :
       {CsvDelimiter::kComma, CsvDelimiter::kSemicolon, CsvDelimiter::kTab}) {
    if (delimiter_char(known) != named || options_.delimiter != CsvDelimiter::kAuto) continue;
    options_.delimiter = known;
    note(line + "says that fields are separated by " + plural(known));
    return;
  }
  note(line + "names a delimiter that is not used");
}

void CsvRecords::sniff(const std::filesystem::path& path) {
  take_separator_line();
  const auto records = scanner_.peek(kSniffedRecords);
  const bool tab_first = parse_row_file(path).kind == RowFileKind::kTsv;
  layout_ = sniff_csv(records, options_, tab_first);
  format_.delimiter = layout_.delimiter;
  format_.decimal = layout_.decimal;
  format_.encoding = options_.encoding;
  delimiter_ = delimiter_char(layout_.delimiter);
  rows_below_ = records.size() > 1;
  if (layout_.title_records > 0) fail_title(records.front());
  if (!layout_.units.empty()) fail_units();
  for (size_t i = 1; i < records.size(); ++i) {
    integers_below_ = integers_below_ || is_integer(trim(records[i]));
  }
  const CsvDelimiter usual = tab_first ? CsvDelimiter::kTab : CsvDelimiter::kComma;
  if (options_.delimiter == CsvDelimiter::kAuto && layout_.delimiter != usual &&
      layout_.fields > 1) {
    note("fields are separated by " + plural(layout_.delimiter));
  }
  if (options_.decimal == DecimalMark::kAuto && layout_.decimal == DecimalMark::kComma) {
    note("decimals have a comma");
  }
  if (layout_.trailing)
    note("every line ends with a delimiter; the empty column after it is left out");
  if (options_.encoding != TextEncoding::kAuto) return;
  format_.encoding = TextEncoding::kUtf8;
  if (is_utf8(scanner_.buffered(), true)) return;
  format_.encoding = TextEncoding::kLatin1;
  note("the text is not UTF-8 and read as Latin-1");
}

void CsvRecords::read_names() {
  if (!scanner_.next() || is_blank()) {
    fail<IoError>(kReadRecords, name() + ", line " + std::to_string(std::max<int64_t>(line(), 1)),
                  "a header or a row of numbers", "an empty file or a blank line",
                  "Check that the file was written completely.");
  }
  record_ = without_trailing(scanner_.record());
  if (scanner_.broken() || !fields_.split(record_, delimiter_)) fail_quotes();
  const std::vector<std::string> first = trimmed(fields_.all());
  unnamed_.assign(first.size(), true);
  layout_.text_columns.resize(first.size());
  if (take_comment_names(first)) {
    first_is_data_ = true;
  } else if (has_header(first)) {
    format_.header = true;
    set_names(first);
  } else {
    first_is_data_ = true;
    set_names(std::vector<std::string>(first.size()));
  }
}

// Names as numpy.savetxt writes them: the comment line right before the data, with a word for each column.
bool CsvRecords::take_comment_names(const std::vector<std::string>& first) {
  const FirstRecord cells = count_cells(first, format_.decimal);
  const bool may_hold_data =
      options_.header == CsvHeader::kAuto ? cells.numbers > 0 : cells.words == 0;
  const std::string& comment = scanner_.comment();
  const bool right_before = scanner_.comment_line() > 0 && scanner_.comment_line() + 1 == line();
  if (!right_before || options_.header == CsvHeader::kNo || !may_hold_data) return false;
  CsvFields words;
  if (!words.split(without_trailing(trim(comment)), delimiter_)) return false;
  std::vector<std::string> names = trimmed(words.all());
  if (names.size() != first.size()) return false;
  if (count_cells(names, DecimalMark::kPoint).numbers > 0) return false;
  if (names[0].empty()) names[0] = "#";  // "#,x,y" has a column of that name
  format_.header = true;
  set_names(std::move(names));
  note("the columns have their names from the comment in line " +
       std::to_string(scanner_.comment_line()));
  return true;
}

bool CsvRecords::has_header(const std::vector<std::string>& first) {
  if (options_.header != CsvHeader::kAuto) return options_.header == CsvHeader::kYes;
  const auto [numbers, words] = count_cells(first, format_.decimal);
  // One column: its name, unless the rows below are integers, of which 0 is one more.
  const bool counted = first.size() > 1 ? counts_up(first) : first[0] == "0" && !integers_below_;
  if (counted && rows_below_ && layout_.first_repeats) {
    note("the first line, " + in_quotes(text(record_)) +
         ", counts the columns, but a row below is the same: it is read as a row (header = "
         "\"yes\" takes it for names)");
    return false;
  }
  if (counted && rows_below_) {
    note(
        "the first line, " + in_quotes(text(record_)) +
        ", counts the columns: it is taken for a header without names (header = \"no\" reads it as "
        "a row)");
    return true;
  }
  if (layout_.whole_above_fractions) return are_names();
  if (numbers > 0 && words > 0) {
    fail<IoError>(kReadRecords, name() + ", line " + std::to_string(line()),
                  "either column names or numbers", "both: " + in_quotes(text(record_)),
                  "Say which it is with header = \"yes\" or header = \"no\".");
  }
  return numbers == 0;
}

// Whether a first line of whole numbers above fractions names the columns, as years do.
bool CsvRecords::are_names() {
  const std::string line =
      "the first line, " + in_quotes(text(record_)) + ", holds whole numbers above fractions: ";
  note(line + (layout_.whole_far_outside
                   ? "it is taken for names of the columns (header = \"no\" reads it as a row)"
                   : "it is read as a row (header = \"yes\" takes it for names)"));
  return layout_.whole_far_outside;
}

void CsvRecords::set_names(std::vector<std::string> header) {
  names_.clear();
  for (size_t c = 0; c < header.size(); ++c) {
    unnamed_[c] = header[c].empty();
    names_.push_back(header[c].empty() ? "column_" + std::to_string(c) : text(header[c]));
  }
}

bool CsvRecords::is_blank() const {  // tabs between no values are a row of missing values
  const char* spaces = delimiter_ == '\t' ? " " : " \t";
  return scanner_.record().find_first_not_of(spaces) == std::string_view::npos;
}

std::string_view CsvRecords::without_trailing(std::string_view record) const {
  if (!layout_.trailing) return record;
  const size_t last = record.find_last_not_of(' ');
  if (last == std::string_view::npos || record[last] != delimiter_) return record;
  return record.substr(0, last);
}

bool CsvRecords::next() {
  problem_.clear();
  if (first_is_data_) {
    first_is_data_ = false;
    ++row_;
    return true;
  }
  if (blank_lines_ == 0 && !waiting_) {
    if (!scanner_.next()) return false;
    if (is_blank() && !pass_blank_lines()) return false;
  }
  ++row_;
  if (blank_lines_ > 0) {
    --blank_lines_;
    record_ = {};
    if (names_.size() > 1) problem_ = "a blank line";
    return true;
  }
  waiting_ = false;
  record_ = without_trailing(scanner_.record());
  if (scanner_.broken()) problem_ = "a quote that does not close";
  return true;
}

// Moves past blank lines to the row after them; false where they end the file. Between rows they are rows
// without values, if the reader may give such rows.
bool CsvRecords::pass_blank_lines() {
  const int64_t first = scanner_.line();
  int64_t count = 0;
  while (is_blank()) {
    ++count;
    if (!scanner_.next()) return false;
  }
  const bool one_missing = names_.size() == 1 && options_.bad_cells == BadCells::kMissingAsNan;
  if (!lenient_ && !one_missing) {
    fail<IoError>(kReadRecords, name() + ", line " + std::to_string(first), "a row of numbers",
                  "a blank line", "Remove it; blank lines may stand at the end of the file only.");
  }
  blank_lines_ = count;
  waiting_ = true;
  return true;
}

const std::vector<std::string_view>& CsvRecords::fields() {
  if (!problem_.empty()) return no_fields_;
  if (fields_.split(record_, delimiter_)) return fields_.all();
  if (!lenient_) fail_quotes();
  scanner_.end_at_first_line();
  record_ = scanner_.record();
  problem_ = "quotes that are not around whole fields";
  return no_fields_;
}

int64_t CsvRecords::line() const {
  // The scanner stands at the row after the blank lines while these are given out.
  return waiting_ ? scanner_.line() - blank_lines_ - 1 : scanner_.line();
}

std::string CsvRecords::text(std::string_view bytes) {
  if (format_.encoding != TextEncoding::kLatin1) {
    if (is_utf8(bytes)) return std::string(bytes);
    if (options_.encoding == TextEncoding::kUtf8) {
      fail<IoError>(kReadRecords, name() + ", line " + std::to_string(line()), "text in UTF-8",
                    in_quotes(latin1_to_utf8(bytes)) + " in another encoding",
                    "Save the file as UTF-8, or read it with encoding = \"latin1\".");
    }
    format_.encoding = TextEncoding::kLatin1;
    note("from line " + std::to_string(line()) + " on the text is not UTF-8 and read as Latin-1");
  }
  return latin1_to_utf8(bytes);
}

void CsvRecords::fail_title(std::string_view first) {
  const bool one = layout_.title_records == 1;
  const std::string below =
      one ? "in the lines below" : "after the first " + std::to_string(layout_.title_records);
  fail<IoError>(
      kReadRecords, name() + ", line 1",
      std::to_string(layout_.fields_below) + " names or values, as " + below,
      in_quotes(text(first)),
      one ? "Remove a title, or start it with #; give each column a name, row numbers too."
          : "Remove these lines, or start them with #.");
}

void CsvRecords::fail_units() {
  fail<IoError>(kReadRecords, name() + ", the second line", "values, as in the lines below",
                in_quotes(text(layout_.units)) + ", text where these have numbers",
                "Remove it if it tells the columns' units, or start it with #; marks of missing "
                "values have names in missing_marks.");
}

void CsvRecords::fail_quotes() {
  fail<IoError>(kReadRecords, name() + ", line " + std::to_string(line()),
                "quotes around whole fields, doubled inside of them", in_quotes(text(record_)),
                "Write \"\" for a quote inside of a quoted field.");
}

}  // namespace contraflow::data
