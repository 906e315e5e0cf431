#include "contraflow/data/npy_header.h"

#include <algorithm>
#include <charconv>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/message.h"
#include "contraflow/data/text_encoding.h"

namespace contraflow::data {
namespace {

constexpr const char* kReadNpyHeader = "read_npy";
constexpr size_t kMaxDimensions = 32;
constexpr int64_t kMostBytes = int64_t{1} << 24;  // of one record

bool is_number_type(char kind, int64_t bytes) {
  switch (kind) {
    case 'f':
      return bytes == 2 || bytes == 4 || bytes == 8;
    case 'i':
    case 'u':
      return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
    case 'b':
      return bytes == 1;
    default:
      return false;
  }
}

// The type of numbers that a descr such as "<f8" stands for.
std::optional<NpyType> npy_type(std::string_view descr) {
  if (descr.size() != 3) return std::nullopt;
  const NpyType type{descr[1], descr[2] - '0', descr[0] == '>'};
  const bool ordered = descr[0] == '<' || descr[0] == '>' || descr[0] == '=';
  const bool one_byte = type.item_bytes == 1 && descr[0] == '|';
  if (!(ordered || one_byte) || !is_number_type(type.kind, type.item_bytes)) return std::nullopt;
  return type;
}

// Bytes of a type, numbers or not ("|S5", "<U5", "<c16", "<M8[ns]"); -1 for what is no type.
int64_t bytes_of_type(std::string_view descr) {
  constexpr std::string_view kKinds = "?bifucmMSUV";
  if (descr.size() < 3 || std::string_view("<>=|").find(descr[0]) == std::string_view::npos ||
      kKinds.find(descr[1]) == std::string_view::npos) {
    return -1;
  }
  int64_t count = 0;
  const char* end = descr.data() + descr.size();
  const auto [stop, error] = std::from_chars(descr.data() + 2, end, count);
  const bool unit = (descr[1] == 'm' || descr[1] == 'M') && stop != end && *stop == '[';
  if (error != std::errc() || (stop != end && !unit) || count < 0 || count > kMostBytes) return -1;
  constexpr int64_t kBytesOfCharacter = 4;
  return descr[1] == 'U' ? kBytesOfCharacter * count : count;
}

// A cursor over the dictionary's text.
class Parser {
 public:
  Parser(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  NpyHeader parse() {
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !have_descr_) {
        descr();
      } else if (key == "fortran_order" && !have_order_) {
        order();
      } else if (key == "shape" && !have_shape_) {
        shape();
      } else {
        malformed("the keys descr, fortran_order and shape, once each");
      }
      if (!accept(',') && peek() != '}') malformed("',' or '}'");
    }
    if (!have_descr_ || !have_order_ || !have_shape_) {
      malformed("the keys descr, fortran_order and shape");
    }
    if (peek() != '\0') malformed("nothing after the dictionary");
    check_sizes();
    return header_;
  }

 private:
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  char peek() {  // '\0' at the end; a NUL byte in the text is refused before
    skip_spaces();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) malformed(std::string("'") + wanted + "'");
  }

  std::string quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') malformed("a quoted word");
    const size_t stop = text_.find(quote, ++at_);
    if (stop == std::string_view::npos) malformed("a closing quote");
    const std::string word(text_.substr(at_, stop - at_));
    at_ = stop + 1;
    return word;
  }

  void descr() {
    have_descr_ = true;
    if (accept('[')) {
      header_.item_bytes = record(&header_.fields, 0);
      return;
    }
    const std::string text = quoted();
    refuse_objects(text);
    const auto type = npy_type(text);
    if (!type) unsupported(in_quotes(text), kConvert);
    header_.type = *type;
    header_.item_bytes = type->item_bytes;
  }

  void refuse_objects(const std::string& type) const {
    if (type.find('O') == std::string::npos) return;
    unsupported(
        "Python objects, " + in_quotes(type),
        "Save numbers: numpy.save(file, array.astype(float)); objects are never unpickled.");
  }

  // The fields of a record, after its bracket, into `fields` if there are any wanted; returns its bytes.
  int64_t record(std::vector<NpyField>* fields, int depth) {
    constexpr int kDeepest = 16;
    if (depth > kDeepest) absurd();
    int64_t bytes = 0;
    while (!accept(']')) {
      expect('(');
      NpyField field = named_field();
      const int64_t size = field_type(field, depth);
      field.offset = bytes;
      if (__builtin_add_overflow(bytes, size, &bytes) || bytes > kMostBytes) absurd();
      if (!accept(')')) malformed("')' after a field");
      const bool padding = field.name.empty() && field.descr.starts_with("|V");
      if (fields != nullptr && !padding) fields->push_back(std::move(field));
      if (!accept(',') && peek() != ']') malformed("',' or ']'");
    }
    if (bytes == 0) malformed("fields that hold something");
    return bytes;
  }

  // The name, or a pair of a title and the name.
  NpyField named_field() {
    NpyField field;
    if (accept('(')) {
      quoted();
      expect(',');
      field.name = quoted();
      expect(')');
    } else {
      field.name = quoted();
    }
    expect(',');
    if (!is_utf8(field.name)) field.name = latin1_to_utf8(field.name);  // format version 1.0
    return field;
  }

  // The type of a field, perhaps with a shape of its own; returns its bytes.
  int64_t field_type(NpyField& field, int depth) {
    int64_t bytes = 0;
    if (accept('[')) {
      bytes = record(nullptr, depth + 1);
      field.descr = "a record";
    } else {
      field.descr = quoted();
      refuse_objects(field.descr);
      field.type = npy_type(field.descr);
      bytes = bytes_of_type(field.descr);
      if (bytes < 0) unsupported(in_quotes(field.descr), kConvert);
    }
    if (!accept(',')) return bytes;
    if (peek() == ')') return bytes;
    field.type.reset();
    field.descr += " of several values";
    for (const int64_t size : sizes()) {
      if (__builtin_mul_overflow(bytes, size, &bytes) || bytes > kMostBytes) absurd();
    }
    return bytes;
  }

  void order() {
    have_order_ = true;
    skip_spaces();
    for (const std::string_view word : {std::string_view("True"), std::string_view("False")}) {
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      header_.fortran_order = word == "True";
      return;
    }
    malformed("True or False for fortran_order");
  }

  void shape() {
    have_shape_ = true;
    header_.shape = sizes();
  }

  std::vector<int64_t> sizes() {
    std::vector<int64_t> out;
    expect('(');
    while (!accept(')')) {
      skip_spaces();
      int64_t size = -1;
      const char* end = text_.data() + text_.size();
      const auto [stop, error] = std::from_chars(text_.data() + at_, end, size);
      if (error == std::errc::result_out_of_range) absurd();
      if (error != std::errc() || size < 0) malformed("sizes >= 0 in shape");
      at_ = static_cast<size_t>(stop - text_.data());
      out.push_back(size);
      if (!accept(',') && peek() != ')') malformed("',' or ')'");
    }
    return out;
  }

  // Zeros are left out of the product: strides of an empty array must not overflow either.
  void check_sizes() {
    if (header_.shape.size() > kMaxDimensions) absurd();
    constexpr int64_t kMostValues = int64_t{1} << 48;
    int64_t product = (header_.item_bytes + 7) / 8;
    for (const int64_t size : header_.shape) {
      if (size > kMostValues || __builtin_mul_overflow(product, size > 0 ? size : 1, &product) ||
          product > kMostValues) {
        absurd();
      }
    }
  }

  [[noreturn]] void malformed(const std::string& expected) const {
    fail<IoError>(kReadNpyHeader, file_, expected + " in the header", in_quotes(text_, 120),
                  "The file is damaged or not an .npy file; write it again with numpy.save().");
  }
  [[noreturn]] void unsupported(const std::string& got, const std::string& remedy) const {
    fail<IoError>(kReadNpyHeader, file_, "values of type f2, f4, f8, i1 to i8, u1 to u8 or bool",
                  got, remedy);
  }
  [[noreturn]] void absurd() const {
    fail<IoError>(kReadNpyHeader, file_, "a shape that fits into memory", in_quotes(text_, 120),
                  "The header is damaged; write the file again with numpy.save().");
  }

  static constexpr const char* kConvert =
      "Convert it: numpy.save(file, array.astype(numpy.float64)).";
  std::string_view text_;
  const std::string& file_;
  size_t at_ = 0;
  NpyHeader header_;
  bool have_descr_ = false;
  bool have_order_ = false;
  bool have_shape_ = false;
};

}  // namespace

int64_t NpyHeader::count() const {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

NpyHeader parse_npy_header(std::string_view text, const std::string& file) {
  if (text.find('\0') != std::string_view::npos) {
    fail<IoError>(kReadNpyHeader, file, "text in the header", "a NUL byte",
                  "The file is damaged; write it again with numpy.save().");
  }
  return Parser(text, file).parse();
}

std::string make_npy_header(std::string_view descr, const std::vector<int64_t>& shape,
                            size_t min_bytes) {
  std::string dictionary =
      "{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': (";
  for (const int64_t size : shape) dictionary += std::to_string(size) + ", ";
  if (shape.size() > 1)
    dictionary.resize(dictionary.size() - 2);  // (3, 4) but (3,), as Python has it
  if (shape.size() == 1) dictionary.pop_back();
  dictionary += "), }";
  constexpr size_t kPrelude = 10;  // magic, version 1.0, length in two bytes
  size_t total = kPrelude + dictionary.size() + 1;
  total = (std::max(total, min_bytes) + 63) / 64 * 64;
  dictionary.resize(total - kPrelude - 1, ' ');
  const size_t length = total - kPrelude;
  std::string out("\x93NUMPY\x01\x00", 8);
  out.push_back(static_cast<char>(length & 0xFFU));
  out.push_back(static_cast<char>(length >> 8U));
  return out + dictionary + "\n";
}

}  // namespace contraflow::data
