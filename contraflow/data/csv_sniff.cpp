#include "contraflow/data/csv_sniff.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "contraflow/data/cells.h"
#include "contraflow/data/csv_fields.h"

namespace contraflow::data {
namespace {

using Records = std::vector<std::string_view>;

// Fields of the records, trimmed and copied, since the fields of a quoted record live until the next one.
std::vector<std::vector<std::string>> cut(const Records& records, char delimiter) {
  std::vector<std::vector<std::string>> out;
  CsvFields fields;
  for (const std::string_view record : records) {
    out.emplace_back();
    if (!fields.split(record, delimiter)) continue;
    for (const std::string_view field : fields.all()) out.back().emplace_back(trim(field));
  }
  return out;
}

// How often numbers of the records have a comma or a point before their decimals.
DecimalMark decimal_of(const std::vector<std::vector<std::string>>& cells) {
  int64_t commas = 0;
  int64_t points = 0;
  for (const auto& record : cells) {
    for (const std::string& cell : record) {
      if (has_decimal_comma(cell)) ++commas;
      if (cell.find('.') != std::string::npos && as_number(cell)) ++points;
    }
  }
  return commas > 0 && points == 0 ? DecimalMark::kComma : DecimalMark::kPoint;
}

// Every comma has three digits after it, as in "1,234": thousands as well as decimals.
bool only_thousands(const std::vector<std::vector<std::string>>& cells) {
  for (const auto& record : cells) {
    for (const std::string& cell : record) {
      if (has_decimal_comma(cell) && cell.size() - cell.find(',') != 4) return false;
    }
  }
  return true;
}

DecimalMark decimal_for(const std::vector<std::vector<std::string>>& cells, CsvDelimiter delimiter,
                        DecimalMark wanted) {
  if (wanted != DecimalMark::kAuto) return wanted;
  const DecimalMark mark = decimal_of(cells);
  const bool quoted = delimiter == CsvDelimiter::kComma && mark == DecimalMark::kComma;
  return quoted && only_thousands(cells) ? DecimalMark::kPoint : mark;
}

bool is_plain_value(const std::string& cell, DecimalMark decimal) {
  return stands_for_missing(cell) || as_number(cell, decimal) || as_boolean(cell) || as_date(cell);
}

// How well a delimiter explains the records: the part of them that have as many fields as the first, times
// one that grows with the part of their cells that are values and not text.
struct Candidate {
  CsvDelimiter delimiter = CsvDelimiter::kComma;
  size_t fields = 0;
  double score = -1.0;
};

Candidate judge(const Records& records, CsvDelimiter delimiter, DecimalMark wanted) {
  const auto cells = cut(records, delimiter_char(delimiter));
  const DecimalMark decimal = decimal_for(cells, delimiter, wanted);
  Candidate out{delimiter, cells[0].size(), -1.0};
  if (out.fields == 0) return out;
  // One column explains any file without this delimiter, unless the first line has another one.
  if (out.fields == 1 && records[0].find_first_of(",;\t") != std::string_view::npos &&
      cells[0][0].size() == trim(records[0]).size()) {
    return out;
  }
  int64_t alike = 0;
  int64_t values = 0;
  int64_t all = 0;
  for (size_t i = records.size() > 1 ? 1 : 0; i < cells.size(); ++i) {
    if (cells[i].size() == out.fields) ++alike;
    all += static_cast<int64_t>(cells[i].size());
    values += std::count_if(cells[i].begin(), cells[i].end(),
                            [&](const std::string& cell) { return is_plain_value(cell, decimal); });
  }
  // Words have spaces between them, so spaces separate fields only where some of these are values.
  if (delimiter == CsvDelimiter::kWhitespace && (values == 0 || out.fields == 1)) return out;
  const auto rows = static_cast<double>(std::max<size_t>(records.size() - 1, 1));
  constexpr double kTextCounts = 0.25;
  out.score =
      static_cast<double>(alike) / rows *
      (kTextCounts + static_cast<double>(values) / static_cast<double>(std::max<int64_t>(all, 1)));
  return out;
}

// The delimiter that explains the records best.
Candidate best_candidate(const Records& records, DecimalMark decimal, bool tab_first) {
  using enum CsvDelimiter;
  std::array<CsvDelimiter, 4> order{kComma, kSemicolon, kTab, kWhitespace};
  if (tab_first) std::swap(order[0], order[2]);
  Candidate best{order[0], 0, -1.0};
  if (records.empty()) return best;
  for (const CsvDelimiter delimiter : order) {
    const Candidate next = judge(records, delimiter, decimal);
    const bool more = next.score == best.score && best.fields == 1 && next.fields > 1;
    if (next.score > best.score || more) best = next;
  }
  return best;
}

// Every record ends with a delimiter: all have as many fields, of which the last is empty.
bool all_end_with_delimiter(const std::vector<std::vector<std::string>>& cells) {
  const size_t fields = cells.empty() ? 0 : cells[0].size();
  return fields > 1 && std::all_of(cells.begin(), cells.end(), [&](const auto& record) {
           return record.size() == fields && record.back().empty();
         });
}

std::vector<bool> columns_of_text(const std::vector<std::vector<std::string>>& cells,
                                  DecimalMark decimal) {
  const size_t fields = cells.empty() ? 0 : cells[0].size();
  std::vector<bool> number(fields, false);
  std::vector<bool> text(fields, false);
  for (size_t i = 1; i < cells.size(); ++i) {
    for (size_t c = 0; c < std::min(fields, cells[i].size()); ++c) {
      if (as_number(cells[i][c], decimal)) {
        number[c] = true;
      } else if (!stands_for_missing(cells[i][c])) {
        text[c] = true;
      }
    }
  }
  for (size_t c = 0; c < fields; ++c) text[c] = text[c] && !number[c];
  return text;
}

bool is_fraction(const std::string& cell) {
  return cell.find_first_of(".,eE") != std::string::npos;
}

// The whole numbers that a first record holds from a field on, all different; empty where it holds
// anything else.
std::vector<double> whole_numbers(const std::vector<std::string>& cells, size_t start) {
  std::vector<double> out;
  for (size_t c = start; c < cells.size(); ++c) {
    const std::string& cell = cells[c];
    const auto number = as_number(cell);
    if (!number || is_fraction(cell)) return {};
    if (std::find(out.begin(), out.end(), *number) != out.end()) return {};
    out.push_back(*number);
  }
  return out;
}

// A first record of whole numbers above fractions: names such as years, or a row by chance.
void look_for_numbered_names(const std::vector<std::vector<std::string>>& cells, CsvLayout& out) {
  constexpr size_t kFewestRows = 10;
  if (cells.size() <= kFewestRows) return;
  const size_t start = cells[0].size() > 1 && cells[0][0].empty() ? 1 : 0;  // above an index
  const std::vector<double> first = whole_numbers(cells[0], start);
  for (size_t c = start; c < cells[0].size() && !first.empty(); ++c) {
    double least = std::numeric_limits<double>::infinity(), most = -least;
    for (size_t i = 1; i < cells.size(); ++i) {
      if (c >= cells[i].size()) continue;
      const auto number = as_number(cells[i][c], out.decimal);
      if (!number || !std::isfinite(*number)) continue;
      if (!is_fraction(cells[i][c])) return;
      least = std::min(least, *number);
      most = std::max(most, *number);
    }
    if (!(least < most)) continue;
    const double range = most - least;
    const double number = first[c - start];
    const bool far = number > most + range || number < least - range;
    out.whole_far_outside = out.whole_far_outside || far;
  }
  out.whole_above_fractions = !first.empty();
}

// Titles: up to three records before ones that a delimiter explains far better than all of them.
void look_for_title(const Records& records, const FileOptions& options, double score,
                    CsvLayout& out) {
  constexpr size_t kMostTitles = 3, kFewestRows = 3;
  constexpr double kFarBetter = 3.0;
  using enum CsvDelimiter;
  std::vector<CsvDelimiter> delimiters{kComma, kSemicolon, kTab, kWhitespace};
  if (options.delimiter != kAuto) delimiters = {options.delimiter};
  for (size_t titles = 1; titles <= kMostTitles && titles + kFewestRows <= records.size();
       ++titles) {
    const Records below(records.begin() + static_cast<std::ptrdiff_t>(titles), records.end());
    for (const CsvDelimiter delimiter : delimiters) {
      const Candidate next = judge(below, delimiter, options.decimal);
      const auto above = cut(records, delimiter_char(delimiter));
      if (next.fields < 2 || next.score <= kFarBetter * score) continue;
      if (above[titles - 1].size() == next.fields) continue;
      out.title_records = titles;
      out.fields_below = next.fields;
      score = next.score / kFarBetter;
    }
    if (out.title_records > 0) return;
  }
}

// Text in every filled cell of the second record, where the records below hold numbers.
bool has_units_second(const std::vector<std::vector<std::string>>& cells,
                      const MissingMarks& missing, DecimalMark decimal) {
  constexpr size_t kFewestRecords = 4;
  if (cells.size() < kFewestRecords) return false;
  const auto is_filled = [&](const std::string& cell) {
    return !stands_for_missing(cell) && !missing.matches(cell, decimal);
  };
  bool units = false;
  for (size_t c = 0; c < cells[1].size(); ++c) {
    if (!is_filled(cells[1][c])) continue;
    if (is_plain_value(cells[1][c], decimal)) return false;
    for (size_t i = 2; i < cells.size(); ++i) {
      if (c >= cells[i].size() || !is_filled(cells[i][c])) continue;
      if (!as_number(cells[i][c], decimal)) return false;
      units = true;
    }
  }
  return units;
}

bool is_blank_line(std::string_view record) {
  return record.find_first_not_of(" ") == std::string_view::npos;
}

}  // namespace

char delimiter_char(CsvDelimiter delimiter) {
  switch (delimiter) {
    case CsvDelimiter::kTab:
      return '\t';
    case CsvDelimiter::kSemicolon:
      return ';';
    case CsvDelimiter::kWhitespace:
      return kAnySpaces;
    case CsvDelimiter::kComma:
    case CsvDelimiter::kAuto:
      break;
  }
  return ',';
}

std::string plural(CsvDelimiter delimiter) {
  switch (delimiter) {
    case CsvDelimiter::kTab:
      return "tabs";
    case CsvDelimiter::kSemicolon:
      return "semicolons";
    case CsvDelimiter::kWhitespace:
      return "spaces";
    case CsvDelimiter::kComma:
    case CsvDelimiter::kAuto:
      break;
  }
  return "commas";
}

CsvLayout sniff_csv(const std::vector<std::string_view>& all_records, const FileOptions& options,
                    bool tab_first) {
  Records records = all_records;
  std::erase_if(records, is_blank_line);
  CsvLayout out;
  Candidate best;
  if (options.delimiter == CsvDelimiter::kAuto) {
    best = best_candidate(records, options.decimal, tab_first);
  } else if (!records.empty()) {
    best = judge(records, options.delimiter, options.decimal);
  }
  out.delimiter = options.delimiter == CsvDelimiter::kAuto ? best.delimiter : options.delimiter;
  look_for_title(records, options, best.score, out);
  const auto cells = cut(records, delimiter_char(out.delimiter));
  out.fields = cells.empty() ? 0 : cells[0].size();
  out.decimal = decimal_for(cells, out.delimiter, options.decimal);
  out.trailing = all_end_with_delimiter(cells);
  out.text_columns = columns_of_text(cells, out.decimal);
  out.first_repeats =
      !records.empty() && std::count(records.begin(), records.end(), records[0]) > 1;
  if (has_units_second(cells, MissingMarks(options.missing), out.decimal)) out.units = records[1];
  look_for_numbered_names(cells, out);
  return out;
}

}  // namespace contraflow::data
