#include "contraflow/data/csv_scanner.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/message.h"

namespace contraflow::data {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr const char* kScanCsv = "read_csv";

std::FILE* open_file(const std::filesystem::path& path) {
  std::error_code ignored;  // what is wrong comes out when the file is opened
  if (std::filesystem::is_directory(path, ignored)) {
    fail<IoError>(kScanCsv, path.string(), "a file", "a folder", "Name the file inside of it.");
  }
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    fail<IoError>(kScanCsv, path.string(), "a readable file", std::strerror(errno),
                  "Check the path and its permissions.");
  }
  return file;
}

}  // namespace

CsvScanner::CsvScanner(std::filesystem::path path, char delimiter, int64_t max_record_bytes)
    : name_(path.string()),
      delimiter_(delimiter),
      max_record_bytes_(static_cast<size_t>(std::max<int64_t>(max_record_bytes, 1))),
      file_(open_file(path)),
      buffer_(kChunkBytes) {
  std::error_code unknown_size;  // a pipe has none
  total_bytes_ = std::filesystem::file_size(path, unknown_size);
  if (unknown_size) total_bytes_ = 0;
  skip_byte_order_mark();
}

void CsvScanner::skip_byte_order_mark() {
  while (end_ < 3 && fill()) {
  }
  if (end_ >= 3 && std::memcmp(buffer_.data(), "\xEF\xBB\xBF", 3) == 0) after_ = 3;
}

double CsvScanner::fraction_read() const {
  if (total_bytes_ == 0) return 0.0;
  const uintmax_t read = consumed_bytes_ - (end_ - after_);
  return std::min(1.0, static_cast<double>(read) / static_cast<double>(total_bytes_));
}

bool CsvScanner::next() {
  begin_ = after_;
  line_ = next_line_;
  quotes_ = 0;
  size_t scanned = 0;
  while (!find_record_end(scanned)) {
    if (fill()) continue;
    if (quotes_ % 2 != 0) fail_open_quote();
    length_ = end_ - begin_;
    after_ = end_;
    if (length_ == 0) return false;
    ++next_line_;
    break;
  }
  check_length(length_);
  if (length_ > 0 && buffer_[begin_ + length_ - 1] == '\r') --length_;
  return true;
}

// Looks for the end of the record from offset `scanned` on; quotes are counted, and only a line end
// after an even number of them is outside of every quoted field.
bool CsvScanner::find_record_end(size_t& scanned) {
  const char* data = buffer_.data() + begin_;
  const size_t size = end_ - begin_;
  while (scanned < size) {
    const void* found = std::memchr(data + scanned, '\n', size - scanned);
    const size_t stop =
        found == nullptr ? size : static_cast<size_t>(static_cast<const char*>(found) - data);
    const char* quote = data + scanned;
    while ((quote = static_cast<const char*>(
                std::memchr(quote, '"', static_cast<size_t>(data + stop - quote)))) != nullptr) {
      ++quotes_;
      ++quote;
    }
    scanned = stop;
    if (found == nullptr) return false;
    ++next_line_;
    if (quotes_ % 2 == 0) {
      length_ = stop;
      after_ = begin_ + stop + 1;
      return true;
    }
    ++scanned;  // past a line end inside of a quoted field
  }
  return false;
}

// Reads more bytes after those of the current record; false at the end of the file.
bool CsvScanner::fill() {
  if (end_of_file_) return false;
  const size_t kept = end_ - begin_;
  std::memmove(buffer_.data(), buffer_.data() + begin_, kept);
  begin_ = 0;
  end_ = kept;
  check_length(kept);
  if (end_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
  const size_t room = std::min(buffer_.size() - end_, kChunkBytes);
  const size_t count = std::fread(buffer_.data() + end_, 1, room, file_.get());
  if (count == 0 && std::ferror(file_.get()) != 0) {
    fail<IoError>(kScanCsv, name_, "to read", std::strerror(errno),
                  "Check the disk and try again.");
  }
  const char* fresh = buffer_.data() + end_;
  if (const void* nul = std::memchr(fresh, '\0', count)) {
    const auto lines =
        std::count(std::as_const(buffer_).data(), static_cast<const char*>(nul), '\n');
    fail<IoError>(kScanCsv, name_ + ", line " + std::to_string(std::max<int64_t>(line_, 1) + lines),
                  "text", "a NUL byte",
                  "Save the file as UTF-8 text; UTF-16 and binary files are not read.");
  }
  end_ += count;
  consumed_bytes_ += count;
  end_of_file_ = count == 0;
  return count > 0;
}

void CsvScanner::check_length(size_t bytes) const {
  if (bytes <= max_record_bytes_) return;
  if (quotes_ % 2 != 0) fail_open_quote();
  fail<IoError>(kScanCsv, name_ + ", line " + std::to_string(line_),
                "a line of at most " + format_bytes(static_cast<int64_t>(max_record_bytes_)),
                "a longer one",
                "Check that this is a CSV file with line ends, or raise max_record_bytes.");
}

void CsvScanner::fail_open_quote() const {
  fail<IoError>(kScanCsv, name_ + ", line " + std::to_string(line_), "a closing quote",
                end_of_file_ ? "the end of the file" : "a field that does not end",
                "Close the quote that opens in this record; the file may be cut off.");
}

std::vector<std::string> CsvScanner::fields() const {
  const std::string_view text = record();
  std::vector<std::string> out;
  for (size_t at = 0;; ++at) {
    std::string field;
    at = read_field(text, at, field);
    out.push_back(std::move(field));
    if (at >= text.size()) return out;
  }
}

// Reads one field from `at` on; returns the position of the delimiter after it, or the end.
size_t CsvScanner::read_field(std::string_view text, size_t at, std::string& field) const {
  if (at >= text.size() || text[at] != '"') {
    const size_t stop = std::min(text.find(delimiter_, at), text.size());
    field = text.substr(std::min(at, text.size()), stop - std::min(at, text.size()));
    if (field.find('"') == std::string::npos) return stop;
  } else {
    while (true) {
      const size_t quote = text.find('"', at + 1);  // next() made sure that quotes come in pairs
      if (quote == std::string_view::npos) break;
      field.append(text, at + 1, quote - at - 1);
      at = quote + 1;
      if (at >= text.size() || text[at] == delimiter_) return at;
      if (text[at] != '"') break;
      field.push_back('"');
    }
  }
  fail<IoError>(kScanCsv, name_ + ", line " + std::to_string(line_),
                "quotes around whole fields, doubled inside of them", in_quotes(text),
                "Write \"\" for a quote inside of a quoted field.");
}

}  // namespace contraflow::data
