#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "contraflow/core/error.h"
#include "contraflow/data/npy.h"
#include "tests/data/expect_error.h"
#include "tests/data/golden_npy.h"
#include "tests/support/npy.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using contraflow::testing::read_bytes;
using contraflow::testing::read_npy;
using contraflow::testing::TempFolder;
using contraflow::testing::write_bytes;
using contraflow::testing::write_npy;
using Parts = std::vector<std::string>;

// A version 1.0 file with any text for a header.
std::string file_with(const std::string& header, size_t data_bytes = 0) {
  std::string out("\x93NUMPY\x01\x00", 8);
  out.push_back(static_cast<char>(header.size() & 0xFFU));
  out.push_back(static_cast<char>(header.size() >> 8U));
  return out + header + std::string(data_bytes, '\0');
}

std::string header(const std::string& descr, const std::string& shape,
                   const std::string& order = "False") {
  return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

class NpyErrors : public ::testing::Test {
 protected:
  void expect_bytes(const std::string& bytes, const Parts& parts) {
    write_bytes(path_, bytes);
    expect_error<IoError>([&] { read_npy(path_); }, parts);
  }

  TempFolder folder_;
  std::filesystem::path path_ = folder_ / "bad.npy";
};

TEST_F(NpyErrors, TypesThatAreNotNumbers) {
  expect_error<IoError>([] { read_npy(golden_npy("object.npy")); },
                        {"object.npy", "Python objects", "astype(float)", "never unpickled"});
  expect_error<IoError>([] { read_npy(golden_npy("record.npy")); },
                        {"named fields", "plain array"});
  for (const char* name : {"text.npy", "complex.npy", "date.npy"}) {
    expect_error<IoError>([&] { read_npy(golden_npy(name)); }, {name, "astype(numpy.float64)"});
  }
  for (const char* type : {"'<f16'", "'<f3'", "'|f8'", "'<i3'", "'f8'", "''", "'<b8'", "'!f8'"}) {
    expect_bytes(file_with(header(type, "(1,)"), 8), {"f2, f4, f8"});
  }
}

TEST_F(NpyErrors, FilesThatAreCutOffAnywhere) {
  const std::string whole = read_bytes(golden_npy("good_f8_little_c.npy"));
  for (size_t size = 0; size < whole.size(); ++size) {
    write_bytes(path_, whole.substr(0, size));
    expect_error<IoError>([&] { read_npy(path_); }, {"bad.npy"});
  }
  expect_bytes(whole.substr(0, whole.size() - 1), {"96 bytes", "95", "cut off"});
}

TEST_F(NpyErrors, TrailingBytes) {
  expect_bytes(read_bytes(golden_npy("good_f8_little_c.npy")) + "x", {"96 bytes", "97", "extra"});
}

TEST_F(NpyErrors, AbsurdSizes) {
  const std::string huge = "9223372036854775807";
  for (const std::string& shape :
       {"(" + huge + ",)", "(" + huge + ", " + huge + ")", std::string("(4294967296, 4294967296)"),
        std::string("(0, 9223372036854775807, 9223372036854775807)"),
        std::string("(99999999999999999999999,)"), std::string("(281474976710657,)")}) {
    expect_bytes(file_with(header("'<f8'", shape), 8), {"fits into memory"});
  }
  expect_bytes(file_with(header("'<f8'", "(1000000000, 1000)"), 8),
               {"8000000000000 bytes", "got 8"});
  std::string deep = "(";
  for (int i = 0; i < 33; ++i) deep += "1, ";
  expect_bytes(file_with(header("'<f8'", deep + ")"), 8), {"fits into memory"});
}

TEST_F(NpyErrors, NotAnNpyFile) {
  expect_bytes("", {"an empty file"});
  expect_bytes("a,b\n1,2\n3,4\n", {"\\x93NUMPY", "something else"});
  expect_bytes("PK\x03\x04 and then a zip archive", {".npz"});
}

TEST_F(NpyErrors, VersionsThatDoNotExist) {
  std::string bytes = read_bytes(golden_npy("good_f8_little_c.npy"));
  bytes[6] = 4;
  expect_bytes(bytes, {"version 1.0, 2.0 or 3.0", "4.0"});
  bytes[6] = 1;
  bytes[7] = 9;
  expect_bytes(bytes, {"1.9"});
}

TEST_F(NpyErrors, HeaderLongerThanTheFile) {
  std::string bytes = read_bytes(golden_npy("good_f8_little_c.npy"));
  bytes[9] = '\x7F';
  expect_bytes(bytes, {"cut off or damaged"});
  bytes = read_bytes(golden_npy("version_2.npy"));
  bytes[11] = '\x7F';
  expect_bytes(bytes, {"cut off or damaged"});
}

TEST_F(NpyErrors, HeadersThatAreNotTheDictionary) {
  const std::string good = header("'<f8'", "(1,)");
  const std::vector<std::string> bad{
      "",
      "{}",
      "{",
      "[1, 2]",
      good.substr(0, good.size() - 2),                                            // no brace
      good + "x",                                                                 // more after it
      "{'descr': '<f8', 'fortran_order': False, }",                               // no shape
      "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}",  // twice
      "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'extra': 1}",
      "{'descr': '<f8' 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f8",
      header("'<f8'", "(1,)", "Maybe"),
      header("'<f8'", "(1,)", "1"),
      header("'<f8'", "(-1,)"),
      header("'<f8'", "(1.5,)"),
      header("'<f8'", "[1]"),
      header("'<f8'", "(1"),
      header("'<f8'", "(1 2)"),
      header("'<f8'", "(__import__('os').abort(),)"),
      header("8", "(1,)"),
      header("'<f8'", "(1,)") + std::string(1, '\0'),
  };
  for (const std::string& text : bad) {
    SCOPED_TRACE(text);
    expect_bytes(file_with(text, 8), {"bad.npy", "header", "numpy.save()"});
  }
  write_bytes(path_, file_with(good, 8));
  EXPECT_EQ(read_npy(path_).item<double>(), 0.0) << "the good one is good";
}

TEST_F(NpyErrors, ValuesThatAreNotUsable) {
  expect_error<DomainError>(
      [] {
        NpyReader reader(golden_npy("not_finite.npy"));
        reader.next(1);
        reader.next(1);
      },
      {"not_finite.npy, row 1, column_1", "finite", "nan"});
  expect_error<DomainError>([] { read_npy(golden_npy("large_integer.npy")); }, {"2^53", "value 1"});
}

TEST_F(NpyErrors, ArraysWithoutRows) {
  expect_error<IoError>([] { NpyReader reader(golden_npy("scalar.npy")); }, {"a single value"});
  expect_error<IoError>([] { NpyReader reader(golden_npy("empty.npy")); }, {"[0, 4]"});
}

TEST_F(NpyErrors, ColumnsThatAreNotThere) {
  expect_error<ConfigError>(
      [] { NpyReader r(golden_npy("good_f8_little_c.npy"), {.columns = {"4"}}); },
      {"from 0 to 3", "'4'"});
  expect_error<ConfigError>([] { NpyReader r(golden_npy("events_c.npy"), {.columns = {"0"}}); },
                            {"events of shape [3, 4]"});
}

TEST_F(NpyErrors, FilesThatCannotBeOpened) {
  expect_error<IoError>([&] { read_npy(folder_ / "none.npy"); }, {"none.npy"});
  expect_error<IoError>([&] { read_npy(folder_.path()); }, {folder_.path().string()});
  expect_error<DtypeError>([&] { NpyWriter(path_, 2, at::kInt); }, {"Int"});
  expect_error<ShapeError>([&] { NpyWriter(path_, 2, at::kFloat).append(at::ones({3})); },
                           {"[n, 2]"});
  EXPECT_EQ(folder_.count(), 0);
}

}  // namespace
}  // namespace contraflow::data
