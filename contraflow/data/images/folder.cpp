#include "contraflow/data/images/folder.h"

#include <algorithm>
#include <system_error>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/images/image_file.h"

namespace contraflow::data::images {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

std::string without_zeros(const std::string& digits) {
  return digits.substr(std::min(digits.size(), digits.find_first_not_of('0')));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Runs of digits are compared as numbers, then by the zeros in front of them.
bool before(const fs::path& first, const fs::path& second) {
  const std::string a = first.filename().string(), b = second.filename().string();
  size_t i = 0, k = 0;
  while (i < a.size() && k < b.size()) {
    if (!is_digit(a[i]) || !is_digit(b[k])) {
      if (a[i] != b[k]) return a[i] < b[k];
      ++i, ++k;
      continue;
    }
    const auto end_of = [](const std::string& text, size_t from) {
      while (from < text.size() && is_digit(text[from])) ++from;
      return from;
    };
    const std::string m = a.substr(i, end_of(a, i) - i), n = b.substr(k, end_of(b, k) - k);
    const std::string p = without_zeros(m), q = without_zeros(n);
    if (p != q) return p.size() != q.size() ? p.size() < q.size() : p < q;
    if (m.size() != n.size()) return m.size() < n.size();
    i += m.size(), k += n.size();
  }
  return a.size() < b.size();
}

// Calls `take` on what is in the folder until it gives false.
void for_entries(const fs::path& folder, const std::function<bool(const fs::path&, bool)>& take) {
  std::error_code error, ignored;
  auto entry = fs::directory_iterator(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (!is_hidden(entry->path()) && !take(entry->path(), entry->is_directory(ignored))) return;
  }
  if (!error) return;
  fail<IoError>("images", folder.string(), "a folder that can be read", error.message(),
                "Check the path and its permissions.");
}

}  // namespace

std::vector<fs::path> files_in(const fs::path& folder,
                               const std::function<bool(const fs::path&)>& wanted) {
  std::vector<fs::path> found;
  for_entries(folder, [&](const fs::path& path, bool is_folder) {
    if (!is_folder && wanted(path)) found.push_back(path);
    return true;
  });
  std::error_code ignored;
  std::erase_if(found, [&](const fs::path& path) {
    return is_compressed(path) && fs::exists(fs::path(path).replace_extension(), ignored);
  });
  std::sort(found.begin(), found.end(), before);
  return found;
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  for_entries(folder, [&](const fs::path& path, bool is_folder) {
    if (is_folder) found.push_back(path);
    return true;
  });
  std::sort(found.begin(), found.end(), before);
  return found;
}

bool has_file(const fs::path& folder, const std::function<bool(const fs::path&)>& wanted) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return false;
  bool found = false;
  for_entries(folder, [&](const fs::path& path, bool is_folder) {
    found = !is_folder && wanted(path);
    return !found;
  });
  return found;
}

std::string names_of(const std::vector<fs::path>& paths) {
  constexpr size_t kMost = 6;
  std::vector<std::string> names;
  for (size_t i = 0; i < paths.size() && i < kMost; ++i) {
    names.push_back(shorten(paths[i].filename().string()));
  }
  std::string out = join(names, ", ");
  if (paths.size() > kMost) {
    out += " and " + format_count(std::ssize(paths) - static_cast<int64_t>(kMost)) + " more";
  }
  return out;
}

}  // namespace contraflow::data::images
