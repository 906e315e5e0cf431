#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace contraflow::data {

/// Stands for any run of spaces and tabs in the place of a delimiter.
constexpr char kAnySpaces = ' ';

/// Fields of one record, views into it or into a buffer of their own where quotes are resolved.
class CsvFields {
 public:
  /// Cuts `record` at `delimiter`; false where a quote stands in the wrong place.
  bool split(std::string_view record, char delimiter);
  /// Valid while the record is, and until the next split().
  const std::vector<std::string_view>& all() const { return fields_; }

 private:
  bool split_at(std::string_view record, char delimiter);
  bool split_at_spaces(std::string_view record);
  bool take_quoted(std::string_view record, size_t& at);

  std::vector<std::string_view> fields_;
  std::string resolved_;
};

}  // namespace contraflow::data
