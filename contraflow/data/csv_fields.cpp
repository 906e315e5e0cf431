#include "contraflow/data/csv_fields.h"

#include <algorithm>

namespace contraflow::data {

bool CsvFields::split(std::string_view record, char delimiter) {
  fields_.clear();
  resolved_.clear();
  resolved_.reserve(record.size());  // holds all of a record's fields, so that views stay valid
  return delimiter == kAnySpaces ? split_at_spaces(record) : split_at(record, delimiter);
}

bool CsvFields::split_at(std::string_view record, char delimiter) {
  for (size_t at = 0;; ++at) {
    if (at < record.size() && record[at] == '"') {
      if (!take_quoted(record, at)) return false;
      if (at < record.size() && record[at] != delimiter) return false;
    } else {
      const size_t stop = std::min(record.find(delimiter, at), record.size());
      fields_.push_back(record.substr(at, stop - at));
      if (fields_.back().find('"') != std::string_view::npos) return false;
      at = stop;
    }
    if (at >= record.size()) return true;
  }
}

bool CsvFields::split_at_spaces(std::string_view record) {
  constexpr const char* kSpaces = " \t";
  size_t at = record.find_first_not_of(kSpaces);
  while (at != std::string_view::npos) {
    size_t stop = at;
    if (record[at] == '"') {
      if (!take_quoted(record, stop)) return false;
      if (stop < record.size() && record[stop] != ' ' && record[stop] != '\t') return false;
    } else {
      stop = std::min(record.find_first_of(kSpaces, at), record.size());
      fields_.push_back(record.substr(at, stop - at));
      if (fields_.back().find('"') != std::string_view::npos) return false;
    }
    at = record.find_first_not_of(kSpaces, stop);
  }
  return true;
}

// Takes the field whose opening quote is at `at`, and moves `at` past its closing quote.
bool CsvFields::take_quoted(std::string_view record, size_t& at) {
  const size_t first = at + 1;
  const size_t start = resolved_.size();
  bool doubled = false;
  for (size_t from = first;;) {
    const size_t quote = record.find('"', from);
    if (quote == std::string_view::npos) return false;
    at = quote + 1;
    const bool again = at < record.size() && record[at] == '"';
    if (!again && !doubled) {
      fields_.push_back(record.substr(first, quote - first));
      return true;
    }
    resolved_.append(record, from, quote - from);
    if (!again) break;
    resolved_.push_back('"');
    doubled = true;
    from = at + 1;
  }
  fields_.push_back(std::string_view(resolved_).substr(start));
  return true;
}

}  // namespace contraflow::data
