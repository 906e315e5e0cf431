#include <ATen/ATen.h>

#include <array>
#include <charconv>

#include "contraflow/core/error.h"
#include "contraflow/data/csv.h"

namespace contraflow::data {
namespace {

// A name with a delimiter, a quote or a line end goes into quotes, with its own quotes doubled.
std::string quoted_if_needed(const std::string& name) {
  if (name.find_first_of(",\"\r\n") == std::string::npos) return name;
  std::string out = "\"";
  for (const char c : name) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

template <class T>
void append_rows(const at::Tensor& rows, std::string& text) {
  const T* value = rows.data_ptr<T>();
  std::array<char, 32> digits{};  // the longest float64 takes 24
  for (int64_t r = 0; r < rows.size(0); ++r) {
    for (int64_t c = 0; c < rows.size(1); ++c) {
      if (c > 0) text.push_back(',');
      const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *value++).ptr;
      text.append(digits.data(), end);
    }
    text.push_back('\n');
  }
}

}  // namespace

CsvWriter::CsvWriter(const std::filesystem::path& path, const std::vector<std::string>& columns)
    : file_(path), columns_(static_cast<int64_t>(columns.size())) {
  for (const std::string& name : columns) {
    if (!text_.empty()) text_.push_back(',');
    text_.append(quoted_if_needed(name));
  }
  text_.push_back('\n');
  file_.write(text_);
}

void CsvWriter::append(const at::Tensor& rows) {
  check_rows("write_csv", rows, columns_);
  const at::Tensor plain = rows.detach().cpu().contiguous();
  text_.clear();
  if (plain.scalar_type() == at::kFloat) {
    append_rows<float>(plain, text_);
  } else if (plain.scalar_type() == at::kDouble) {
    append_rows<double>(plain, text_);
  } else {
    append_rows<int64_t>(plain, text_);
  }
  file_.write(text_);
}

}  // namespace contraflow::data
