#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>

#include "contraflow/core/error.h"
#include "contraflow/data/csv.h"
#include "tests/data/expect_error.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using contraflow::testing::TempFolder;
using contraflow::testing::write_bytes;
using Parts = std::vector<std::string>;

class CsvErrors : public ::testing::Test {
 protected:
  template <class E>
  void expect(const std::string& text, const Parts& parts, const FileOptions& options = {}) {
    write_bytes(path_, text);
    expect_error<E>(
        [&] {
          CsvReader reader(path_, options);
          read_all(reader);
        },
        parts);
  }

  TempFolder folder_;
  std::filesystem::path path_ = folder_ / "bad.csv";
};

TEST_F(CsvErrors, MissingValues) {
  const Parts place{"bad.csv, line 3 (row 1), column 1 'b'", "missing"};
  for (const char* mark : {"", " ", "NA", "n/a", "NULL", "None", "?"}) {
    expect<DomainError>(std::string("a,b\n1,2\n3,") + mark + "\n5,6\n", place);
  }
  expect<DomainError>("a,b\n,2\n", {"line 2 (row 0), column 0 'a'", "missing"});
  FileOptions tabs;
  tabs.delimiter = CsvDelimiter::kTab;
  expect<DomainError>("1\t2\n\t\n3\t4\n", {"line 2 (row 1), column 0", "missing"}, tabs);
}

TEST_F(CsvErrors, ValuesThatAreNotFinite) {
  for (const char* value : {"nan", "NaN", "inf", "-inf", "Infinity", "1e999", "-1e99999"}) {
    expect<DomainError>(std::string("a,b\n1,2\n3,") + value + "\n",
                        {"line 3 (row 1), column 1 'b'", "finite", value});
  }
}

TEST_F(CsvErrors, TextWhereANumberIsExpected) {
  for (const char* value : {"abc", "1.5f", "0x10", "1 2", "1e", "--1", "+-1", "12:30", "1.2.3"}) {
    expect<DomainError>(std::string("a,b\n1,2\n") + value + ",4\n",
                        {"line 3 (row 1), column 0 'a'", "a number", value});
  }
  expect<DomainError>("a,b\n\"1,5\",2\n3.5,4\n",
                      {"line 2 (row 0), column 0 'a'", "'1,5'", "point"});
}

TEST_F(CsvErrors, WrongDelimiterIsSuspected) {
  FileOptions commas;
  commas.delimiter = CsvDelimiter::kComma;
  expect<DomainError>("a;b\n1;2\n3;4\n", {"'1;2'", "check the delimiter"}, commas);
}

TEST_F(CsvErrors, RaggedRows) {
  expect<IoError>("a,b\n1,2\n3\n", {"line 3 (row 1)", "2 fields", "got 1"});
  expect<IoError>("a,b\n1,2\n3,4,5\n", {"line 3 (row 1)", "2 fields", "got 3"});
  expect<IoError>("a,b\n1,2,\n", {"line 2 (row 0)", "got 3"});
  expect<IoError>("a,b\n\"1\",2,\"3\"\n", {"line 2 (row 0)", "got 3"});
}

TEST_F(CsvErrors, LineNumbersCountLinesInsideOfQuotes) {
  expect<DomainError>("n,a\n\"x\ny\nz\",1\nw,bad\n", {"line 5 (row 1), column 1 'a'", "'bad'"},
                      {.columns = {"a"}});
}

TEST_F(CsvErrors, QuotesThatDoNotClose) {
  expect<IoError>("a,b\n1,2\n\"3,4\n5,6\n", {"line 3", "closing quote", "the end of the file"});
  expect<IoError>("a,b\n\"", {"line 2", "closing quote"});
  expect<IoError>("a,b\n1,2\n3,\"" + std::string(size_t{17} << 20, 'x'),
                  {"line 3", "closing quote", "does not end"});
}

TEST_F(CsvErrors, MisplacedQuotes) {
  expect<IoError>("a,b\n1\"\",2\n", {"line 2", "doubled inside"});
  expect<IoError>("a,b\n\"1\"x,2\n\"3\",4\n", {"line 2", "doubled inside"});
}

TEST_F(CsvErrors, NulBytes) {
  expect<IoError>(std::string("a,b\n1,2\n3,\0004\n", 12), {"line 3", "NUL", "UTF-8"});
  expect<IoError>(std::string("\xFF\xFE"
                              "1\0,\0002\0\n\0",
                              10),
                  {"line 1", "NUL", "UTF-16"});
}

TEST_F(CsvErrors, GiganticLines) {
  FileOptions options;
  options.max_record_bytes = 1000;
  expect<IoError>("a,b\n1,2\n" + std::string(1001, '7') + ",1\n", {"line 3", "1000 B"}, options);
  expect<IoError>("a,b\n1,2\n" + std::string(size_t{3} << 20, '7'), {"line 3", "1000 B"}, options);
  expect<IoError>(std::string(size_t{17} << 20, '7'), {"line 1", "16.0 MiB", "line ends"});
}

TEST_F(CsvErrors, FilesWithoutRows) {
  expect<IoError>("", {"bad.csv", "an empty file"});
  expect<IoError>("\xEF\xBB\xBF", {"an empty file"});
  expect<IoError>("\n\n", {"line 1", "blank line"});
  expect<IoError>("a,b\n", {"rows of data", "a header only"});
  expect<IoError>("a,b\n\n\n", {"rows of data", "a header only"});
}

TEST_F(CsvErrors, BlankLineBetweenRows) {
  expect<IoError>("a,b\n1,2\n\n3,4\n", {"line 3", "a blank line"});
  expect<IoError>("a\n1\n\n3\n", {"line 3", "a blank line"});
}

TEST_F(CsvErrors, FirstLineThatIsNeitherHeaderNorData) {
  expect<IoError>("name,2019,2020\n1,2,3\n", {"line 1", "header = \"yes\""});
}

TEST_F(CsvErrors, ColumnsThatAreNotThere) {
  const std::string text = "momentum,angle,angle\n1,2,3\n";
  expect<ConfigError>(text, {"'momentun'", "Did you mean 'momentum'?"}, {.columns = {"momentun"}});
  expect<ConfigError>(text, {"from 0 to 2", "'3'"}, {.columns = {"3"}});
  expect<ConfigError>(text, {"'-4'"}, {.columns = {"-4"}});
  expect<ConfigError>(text, {"'zzzzzzzz'", "momentum, angle"}, {.columns = {"zzzzzzzz"}});
  expect<ConfigError>(text, {"'angle'", "several", "number"}, {.columns = {"angle"}});
  expect<ConfigError>(text, {"'0' twice"}, {.columns = {"momentum", "0"}});
}

TEST_F(CsvErrors, FilesThatCannotBeOpened) {
  expect_error<IoError>([&] { CsvReader reader(folder_ / "none.csv"); },
                        {"none.csv", "No such file"});
  expect_error<IoError>([&] { CsvReader reader(folder_.path()); }, {"a folder"});
  expect_error<ShapeError>(
      [&] {
        write_bytes(path_, "1\n");
        CsvReader(path_).next(0);
      },
      {"max_rows"});
}

TEST_F(CsvErrors, WritersRefuseWhatDoesNotFit) {
  expect_error<IoError>([&] { CsvWriter writer(folder_ / "no/such/folder.csv", {"a"}); },
                        {"folder.csv"});
  CsvWriter writer(folder_ / "out.csv", {"a", "b"});
  expect_error<ShapeError>([&] { writer.append(at::ones({3, 3})); }, {"[n, 2]", "[3, 3]"});
  expect_error<DtypeError>([&] { writer.append(at::ones({3, 2}, at::kInt)); }, {"Int"});
  expect_error<ConfigError>([&] { create_rows(folder_ / "a.xlsx", {"a"}, at::kDouble); },
                            {".csv", ".npy", "'.xlsx'"});
  expect_error<ConfigError>([&] { open_rows(folder_ / "a.csv.bz2"); }, {".gz", ".npz", "'.bz2'"});
}

}  // namespace
}  // namespace contraflow::data
