#pragma once

#include <filesystem>
#include <string>

namespace contraflow::data {

/// A file written by NumPy; make_files.py beside them says how.
inline std::filesystem::path golden_npy(const std::string& name) {
  return std::filesystem::path(CONTRAFLOW_TEST_DATA) / "npy" / name;
}

}  // namespace contraflow::data
