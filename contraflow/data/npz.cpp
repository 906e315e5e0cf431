#include "contraflow/data/npz.h"

#include <c10/util/ArrayRef.h>

#include <algorithm>
#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/message.h"
#include "contraflow/data/npy_bytes.h"
#include "contraflow/data/zip_archive.h"

namespace contraflow::data {
namespace {

constexpr const char* kReadNpz = "read_npz";
constexpr std::string_view kEnding = ".npy";

// Members that are arrays: their place in the archive and their name.
std::vector<std::pair<size_t, std::string>> find_arrays(const ZipArchive& archive) {
  std::vector<std::pair<size_t, std::string>> out;
  for (size_t i = 0; i < archive.members().size(); ++i) {
    const std::string& name = archive.members()[i];
    if (name.ends_with(kEnding)) out.emplace_back(i, name.substr(0, name.size() - kEnding.size()));
  }
  return out;
}

NpyFile open_array(const ZipArchive& archive, size_t member, const RowFile& file,
                   const std::string& name) {
  return NpyFile(streamed_bytes(archive.open(member)), file.path.string() + ":" + name);
}

std::vector<NamedArray> open_named(const ZipArchive& archive, const RowFile& file) {
  std::vector<std::string> names;
  for (const auto& [member, name] : find_arrays(archive)) {
    names.push_back(name);
    if (name != file.member) continue;
    std::vector<NamedArray> out;
    out.push_back({"", open_array(archive, member, file, name)});
    return out;
  }
  fail<ConfigError>(kReadNpz, file.path.string(), "the name of an array in it",
                    in_quotes(file.member),
                    did_you_mean(nearest_match(file.member, names),
                                 "It has " + shorten(join(names, ", "), 200) + "."));
}

bool are_columns(const std::vector<NamedArray>& arrays) {
  return std::all_of(arrays.begin(), arrays.end(), [&](const NamedArray& array) {
    const size_t dimensions = array.file.header().shape.size();
    return array.file.rows() == arrays[0].file.rows() && (dimensions == 1 || dimensions == 2);
  });
}

std::vector<NamedArray> open_all(const RowFile& file) {
  const ZipArchive archive(file.path);
  if (!file.member.empty()) return open_named(archive, file);
  const auto found = find_arrays(archive);
  constexpr size_t kMost = 1024;  // each is open at the same time, with buffers of its own
  if (found.empty() || found.size() > kMost) {
    fail<IoError>(kReadNpz, file.path.string(), "1 to 1,024 arrays, members named *.npy",
                  format_count(static_cast<int64_t>(found.size())),
                  found.empty() ? "Write it with numpy.savez()." : "Name one as FILE.npz:NAME.");
  }
  std::vector<NamedArray> out;
  for (const auto& [member, name] : found) {
    out.push_back({found.size() == 1 ? "" : name, open_array(archive, member, file, name)});
  }
  if (out.size() == 1 || are_columns(out)) return out;
  fail<IoError>(kReadNpz, file.path.string(),
                "one array, or several of as many rows that are columns [N] or [N, C]",
                shorten(list_arrays(out), 300), "Name the one you mean as FILE.npz:NAME.");
}

}  // namespace

std::string list_arrays(const std::vector<NamedArray>& arrays) {
  std::vector<std::string> out;
  for (const NamedArray& array : arrays) {
    out.push_back(array.name + " " + c10::str(c10::IntArrayRef(array.file.header().shape)));
  }
  return join(out, ", ");
}

std::vector<NamedArray> open_arrays(const RowFile& file) {
  if (file.kind == RowFileKind::kNpz) return open_all(file);
  std::vector<NamedArray> out;
  out.push_back({"", NpyFile(file.path)});
  return out;
}

}  // namespace contraflow::data
