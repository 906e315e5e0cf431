#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/export.h"

namespace contraflow::data {

/// A type of numbers.
struct NpyType {
  char kind = 'f';  ///< 'f', 'i', 'u' or 'b' (bool).
  int64_t item_bytes = 8;
  bool big_endian = false;
};

/// A field of a structured array.
struct NpyField {
  std::string name;
  std::optional<NpyType> type;  ///< Unset: not a number, but `descr`.
  std::string descr;
  int64_t offset = 0;  ///< From the start of the record, in bytes.
};

/// What the header of an .npy file says.
struct CF_EXPORT NpyHeader {
  NpyType type;
  bool fortran_order = false;
  std::vector<int64_t> shape;
  /// Of a structured array, without padding; empty for an array of numbers.
  std::vector<NpyField> fields;
  /// From one item to the next: a number, or a record of all fields.
  int64_t item_bytes = 8;

  /// Values in the array.
  int64_t count() const;
};

/// Parses the dictionary of a header, strictly: exactly the keys descr, fortran_order and shape.
/// Nothing is evaluated. IoError names `file` and says what to save instead (objects, text, complex
/// numbers, absurd or overflowing shapes). Fields of records may have types that are no numbers.
CF_EXPORT NpyHeader parse_npy_header(std::string_view text, const std::string& file);

/// Magic, version, length and dictionary for a C-order array, padded to a multiple of 64 and to at
/// least `min_bytes`.
CF_EXPORT std::string make_npy_header(std::string_view descr, const std::vector<int64_t>& shape,
                                      size_t min_bytes = 0);

}  // namespace contraflow::data
