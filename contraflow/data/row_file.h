#pragma once

#include <filesystem>
#include <string>

#include "contraflow/data/rows.h"

namespace contraflow::data {

enum class RowFileKind { kOther, kCsv, kTsv, kNpy, kNpz };

/// What the name of a file of rows says, in upper or lower case.
struct RowFile {
  std::filesystem::path path;  ///< Of the file itself.
  std::string member;          ///< NAME of "FILE.npz:NAME".
  RowFileKind kind = RowFileKind::kOther;
  Compression compression = Compression::kNone;
};

RowFile parse_row_file(const std::filesystem::path& name);

}  // namespace contraflow::data
