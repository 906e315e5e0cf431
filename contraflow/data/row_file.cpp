#include "contraflow/data/row_file.h"

#include <algorithm>

namespace contraflow::data {
namespace {

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

RowFileKind kind_of(const std::string& extension) {
  if (extension == ".csv" || extension == ".txt") return RowFileKind::kCsv;
  if (extension == ".tsv") return RowFileKind::kTsv;
  if (extension == ".npy") return RowFileKind::kNpy;
  return RowFileKind::kOther;
}

}  // namespace

RowFile parse_row_file(const std::filesystem::path& name) {
  RowFile out;
  out.path = name;
  if (name == "-") {
    out.kind = RowFileKind::kCsv;
    return out;
  }
  constexpr std::string_view kArchive = ".npz:";
  const std::string lower = lower_case(name.string());
  const size_t member = lower.find(kArchive);
  if (member != std::string::npos || lower.ends_with(".npz")) {
    out.kind = RowFileKind::kNpz;
    out.compression = Compression::kZip;
    if (member == std::string::npos) return out;
    out.path = name.string().substr(0, member + kArchive.size() - 1);
    out.member = name.string().substr(member + kArchive.size());
    return out;
  }
  std::filesystem::path base(lower);
  if (base.extension() == ".gz") {
    out.compression = Compression::kGzip;
    base = base.stem();
  }
  out.kind = kind_of(base.extension().string());
  return out;
}

}  // namespace contraflow::data
