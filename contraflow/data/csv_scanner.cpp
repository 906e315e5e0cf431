#include "contraflow/data/csv_scanner.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"

namespace contraflow::data {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr size_t kPeekBytes = size_t{1} << 16;
constexpr const char* kScanCsv = "read_csv";

// What a file that is not text seems to be, by its first bytes.
std::string binary_kind(std::string_view start) {
  if (start.starts_with("\x1F\x8B")) return "data compressed by gzip; give it the ending .gz";
  if (start.starts_with("PK\x03\x04")) return "a zip archive (of arrays: give it the ending .npz)";
  if (start.starts_with("\x93NUMPY")) return "an array of NumPy; give it the ending .npy";
  return "";
}

// Text in two bytes for each character: a mark at the start, or NUL bytes at every other place.
bool is_utf16(std::string_view start) {
  if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF")) return true;
  if (start.size() < 4) return false;
  const auto nul = [&](size_t i) { return start[i] == '\0'; };
  return (nul(0) && nul(2) && !nul(1) && !nul(3)) || (nul(1) && nul(3) && !nul(0) && !nul(2));
}

}  // namespace

CsvScanner::CsvScanner(std::unique_ptr<ByteSource> source, std::string name,
                       int64_t max_record_bytes, bool lenient)
    : source_(std::move(source)),
      name_(std::move(name)),
      max_record_bytes_(static_cast<size_t>(std::max<int64_t>(max_record_bytes, 1))),
      lenient_(lenient),
      buffer_(kChunkBytes) {
  skip_byte_order_mark();
  skip_separator_line();
  while (skip_comment()) {
  }
}

void CsvScanner::skip_byte_order_mark() {
  while (end_ < 4 && fill()) {
  }
  const std::string_view start(buffer_.data(), end_);
  if (is_utf16(start)) {
    fail<IoError>(kScanCsv, name_ + ", line 1", "text in UTF-8 or Latin-1",
                  "UTF-16, whose every other byte is NUL in English text", "Save it as UTF-8.");
  }
  if (start.starts_with("\xEF\xBB\xBF")) after_ = 3;
}

void CsvScanner::skip_separator_line() {
  constexpr std::string_view kMark = "sep=";
  constexpr size_t kLongest = 7;  // with its delimiter and two characters of a line end
  while (end_ - after_ < kLongest && fill_after()) {
  }
  const std::string_view start = buffered().substr(0, kLongest);
  if (!start.starts_with(kMark) || start.size() < kMark.size() + 2) return;
  const std::string_view rest = start.substr(kMark.size() + 1);
  if (!rest.starts_with('\n') && !rest.starts_with("\r\n")) return;
  separator_ = start[kMark.size()];
  after_ += start.find('\n') + 1;
  ++next_line_;
}

// Passes over a line that starts with "#"; false where there is none.
bool CsvScanner::skip_comment() {
  if (end_ == after_ && !fill_after()) return false;
  if (buffer_[after_] != '#') return false;
  size_t searched = after_;
  const void* found = nullptr;
  while ((found = std::memchr(buffer_.data() + searched, '\n', end_ - searched)) == nullptr) {
    const size_t size = end_ - after_;
    line_ = next_line_;
    check_length(size);
    if (!fill_after()) break;
    searched = after_ + size;
  }
  const size_t stop = found == nullptr
                          ? end_
                          : static_cast<size_t>(static_cast<const char*>(found) - buffer_.data());
  comment_.assign(buffer_.data() + after_ + 1, stop - after_ - 1);
  if (!comment_.empty() && comment_.back() == '\r') comment_.pop_back();
  comment_line_ = next_line_++;
  after_ = std::min(stop + 1, end_);
  return true;
}

double CsvScanner::fraction_read() const {
  if (consumed_bytes_ == 0) return 0.0;
  const double left = static_cast<double>(end_ - after_) / static_cast<double>(consumed_bytes_);
  return source_->fraction_read() * (1.0 - std::min(1.0, left));
}

bool CsvScanner::next() {
  begin_ = after_;
  line_ = next_line_;
  quotes_ = 0;
  broken_ = false;
  size_t scanned = 0;
  while (!find_record_end(scanned)) {
    const bool too_long = lenient_ && quotes_ % 2 != 0 && end_ - begin_ > max_record_bytes_;
    if (!too_long) {
      check_length(end_ - begin_);
      if (fill()) continue;
    }
    if (quotes_ % 2 != 0) {
      if (!lenient_) fail_open_quote();
      end_at_first_line();
      break;
    }
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

void CsvScanner::end_at_first_line() {
  const char* data = buffer_.data() + begin_;
  const size_t size = std::max(length_, end_ - begin_);
  const void* found = std::memchr(data, '\n', size);
  length_ = found == nullptr ? size : static_cast<size_t>(static_cast<const char*>(found) - data);
  after_ = std::min(begin_ + length_ + 1, end_);
  next_line_ = line_ + 1;
  broken_ = true;
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

std::vector<std::string_view> CsvScanner::peek(size_t most) {
  const auto lines = [&] {
    const std::string_view text = buffered();
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  };
  while (end_ - after_ < kPeekBytes && lines() <= most && fill_after()) {
  }
  const std::string_view text = buffered();
  std::vector<std::string_view> out;
  size_t start = 0;
  bool open = false;
  for (size_t i = 0; i < text.size() && out.size() < most; ++i) {
    if (text[i] == '"') open = !open;
    if (text[i] != '\n' || open) continue;
    out.push_back(text.substr(start, i - start));
    start = i + 1;
  }
  const bool is_whole = end_of_file_ || out.empty();
  if (start < text.size() && out.size() < most && is_whole) out.push_back(text.substr(start));
  for (std::string_view& record : out) {
    if (record.ends_with('\r')) record.remove_suffix(1);
  }
  return out;
}

// The same as fill() between two records.
bool CsvScanner::fill_after() {
  begin_ = after_;
  const bool more = fill();
  after_ = begin_;
  return more;
}

// Reads more bytes after those of the current record; false at the end of the file.
bool CsvScanner::fill() {
  if (end_of_file_) return false;
  const size_t kept = end_ - begin_;
  std::memmove(buffer_.data(), buffer_.data() + begin_, kept);
  begin_ = 0;
  end_ = kept;
  if (end_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
  const size_t room = std::min(buffer_.size() - end_, kChunkBytes);
  const size_t count = source_->read({buffer_.data() + end_, room});
  check_text(buffer_.data() + end_, count);
  end_ += count;
  consumed_bytes_ += count;
  end_of_file_ = count == 0;
  return count > 0;
}

void CsvScanner::check_text(const char* fresh, size_t count) const {
  const bool at_start = consumed_bytes_ == 0;
  const std::string kind = at_start ? binary_kind({fresh, count}) : "";
  if (!kind.empty()) {
    fail<IoError>(kScanCsv, name_, "text", kind, "Rename the file.");
  }
  const void* nul = std::memchr(fresh, '\0', count);
  if (nul == nullptr || (at_start && is_utf16({fresh, count}))) return;
  const auto lines = std::count(buffer_.data(), static_cast<const char*>(nul), '\n');
  fail<IoError>(kScanCsv, name_ + ", line " + std::to_string(std::max<int64_t>(line_, 1) + lines),
                "text", "a NUL byte",
                "Save the file as UTF-8 text; UTF-16 and binary files are not read.");
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

}  // namespace contraflow::data
