#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/export.h"

namespace contraflow::data {

/// What the header of an .npy file says.
struct CF_EXPORT NpyHeader {
  char kind = 'f';  ///< 'f', 'i', 'u' or 'b' (bool).
  int64_t item_bytes = 8;
  bool big_endian = false;
  bool fortran_order = false;
  std::vector<int64_t> shape;

  /// Values in the array.
  int64_t count() const;
};

/// Parses the dictionary of a header, strictly: exactly the keys descr, fortran_order and shape.
/// Nothing is evaluated. IoError names `file` and says what to save instead (objects, records,
/// text, complex numbers, absurd or overflowing shapes).
CF_EXPORT NpyHeader parse_npy_header(std::string_view text, const std::string& file);

/// Magic, version, length and dictionary for a C-order array, padded to a multiple of 64 and to at
/// least `min_bytes`.
CF_EXPORT std::string make_npy_header(std::string_view descr, const std::vector<int64_t>& shape,
                                      size_t min_bytes = 0);

}  // namespace contraflow::data
