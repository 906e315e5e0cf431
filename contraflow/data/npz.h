#pragma once

#include <string>
#include <vector>

#include "contraflow/data/npy_file.h"
#include "contraflow/data/row_file.h"

namespace contraflow::data {

/// An array and the name that it has in its file; the name of a file's only array is empty.
struct NamedArray {
  std::string name;
  NpyFile file;
};

/// The array of an .npy file; the array of an archive that is the only one or the one named; else all of
/// them, which are columns: each has as many rows, and values or one line of columns for each. IoError
/// for other archives, which lists the arrays.
std::vector<NamedArray> open_arrays(const RowFile& file);

/// "x [100, 3], y [100]".
std::string list_arrays(const std::vector<NamedArray>& arrays);

}  // namespace contraflow::data
