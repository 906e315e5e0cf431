#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "contraflow/data/rows.h"

namespace contraflow::data {

/// What the first records of a CSV file look like.
struct CsvLayout {
  size_t fields = 0;  ///< Of the first record.
  CsvDelimiter delimiter = CsvDelimiter::kComma;
  DecimalMark decimal = DecimalMark::kPoint;
  /// Every record ends with a delimiter, so that its last field is no column.
  bool trailing = false;
  /// The first record holds different whole numbers, and those below, ten or more, none.
  bool whole_above_fractions = false;
  /// And one of them is far outside of the values below it.
  bool whole_far_outside = false;
  /// A later record is the same as the first one.
  bool first_repeats = false;
  /// So many records, a title perhaps, come before those that have a number of fields in common; 0 = none.
  size_t title_records = 0;
  /// Fields of the records after the title.
  size_t fields_below = 0;
  /// The second record, if it holds text where all records below hold numbers: units, perhaps.
  std::string units = {};
  /// No number stands in the column, and some text: for each field after the first record.
  std::vector<bool> text_columns;
};

/// Fills in what `options` leave open. `tab_first`: a tab wins where nothing else decides.
CsvLayout sniff_csv(const std::vector<std::string_view>& records, const FileOptions& options,
                    bool tab_first);

/// The character of a delimiter; kAnySpaces for kWhitespace.
char delimiter_char(CsvDelimiter delimiter);

/// "semicolons", as in "fields are separated by semicolons".
std::string plural(CsvDelimiter delimiter);

}  // namespace contraflow::data
