// Cells that are missing, of another kind, or wrong, and texts that are kept beside the numbers.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "contraflow/core/error.h"
#include "contraflow/data/csv.h"
#include "contraflow/data/npy.h"
#include "tests/data/expect_error.h"
#include "tests/data/golden_npy.h"
#include "tests/support/npy.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using contraflow::testing::TempFolder;
using contraflow::testing::write_bytes;
using contraflow::testing::write_npy;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kMissingValue = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Equal, with NaN where the other has it.
void expect_rows(const at::Tensor& got, const std::vector<std::vector<double>>& expected) {
  ASSERT_EQ(got.size(0), static_cast<int64_t>(expected.size()));
  for (size_t r = 0; r < expected.size(); ++r) {
    const at::Tensor row = at::tensor(expected[r], at::kDouble);
    EXPECT_TRUE(at::allclose(got[static_cast<int64_t>(r)], row, 0, 0, true))
        << "row " << r << ": " << got[static_cast<int64_t>(r)];
  }
}

class BadCellsTest : public ::testing::Test {
 protected:
  CsvReader open(const std::string& text, const FileOptions& options) {
    write_bytes(path_, text);
    return CsvReader(path_, options);
  }

  TempFolder folder_;
  std::filesystem::path path_ = folder_ / "bad.csv";
};

TEST_F(BadCellsTest, MissingBecomesNanAndOthersAreRefused) {
  const FileOptions options{.bad_cells = BadCells::kMissingAsNan};
  CsvReader reader = open("a,b\n1,\nNA,nan\n-,\"\"\n5,6\n", options);
  expect_rows(
      read_all(reader),
      {{1, kMissingValue}, {kMissingValue, kMissingValue}, {kMissingValue, kMissingValue}, {5, 6}});
  EXPECT_THAT(reader.bad_rows(), IsEmpty());
  for (const char* wrong : {"abc", "inf", "1e999", "1 2"}) {
    CsvReader refused = open(std::string("a,b\n1,2\n3,") + wrong + "\n", options);
    expect_error<DomainError>([&] { read_all(refused); }, {"line 3 (row 1)", "'b'", wrong});
  }
}

TEST_F(BadCellsTest, FurtherMarksAreTextsAndNumbers) {
  FileOptions options{.missing = {"-999", "not measured"}, .bad_cells = BadCells::kMissingAsNan};
  CsvReader reader = open("a,b\n-999.0,1\n-9.99e2, not measured \n-99,2\n", options);
  expect_rows(read_all(reader), {{kMissingValue, 1}, {kMissingValue, kMissingValue}, {-99, 2}});
  options.bad_cells = BadCells::kRefuse;
  CsvReader refused = open("a,b\n1,2\n-999,1\n", options);
  expect_error<DomainError>([&] { read_all(refused); }, {"line 3", "a missing value '-999'"});
  const at::Tensor rows = at::tensor({1.0, -999.0}, at::kDouble).unsqueeze(1);
  write_npy(folder_ / "a.npy", rows);
  options.bad_cells = BadCells::kMissingAsNan;
  expect_rows(read_all(*open_rows(folder_ / "a.npy", options)), {{1}, {kMissingValue}});
}

TEST_F(BadCellsTest, BlankLinesInOneColumnAreMissing) {
  CsvReader reader = open("a\n1\n\n3\n\n", {.bad_cells = BadCells::kMissingAsNan});
  expect_rows(read_all(reader), {{1}, {kMissingValue}, {3}});
}

TEST_F(BadCellsTest, OneRowNeverStopsTheOthers) {
  CsvReader reader = open("a,b\n1,2\nx,3\n4\n5,6,7\n\n8,inf\n\"9,10\n11,12\n13,\"1\"4\n15,16\n",
                          {.bad_cells = BadCells::kAllAsNan});
  const at::Tensor rows = reader.next(100);
  expect_rows(rows, {{1, 2},
                     {kMissingValue, 3},
                     {kMissingValue, kMissingValue},
                     {kMissingValue, kMissingValue},
                     {kMissingValue, kMissingValue},
                     {8, kMissingValue},
                     {kMissingValue, kMissingValue},
                     {11, 12},
                     {kMissingValue, kMissingValue},
                     {15, 16}});
  std::vector<int64_t> numbers;
  for (const BadRow& bad : reader.bad_rows()) numbers.push_back(bad.row);
  EXPECT_THAT(numbers, ElementsAre(1, 2, 3, 4, 5, 6, 8));
  EXPECT_THAT(reader.bad_rows()[0].reason, HasSubstr("line 3 (row 1), column 0 'a'"));
  EXPECT_THAT(reader.bad_rows()[1].reason, HasSubstr("line 4 (row 2): expected 2 fields, got 1"));
  EXPECT_THAT(reader.bad_rows()[3].reason, HasSubstr("line 6 (row 4): a blank line"));
  EXPECT_THAT(reader.bad_rows()[5].reason, HasSubstr("line 8 (row 6): a quote"));
  EXPECT_EQ(reader.next(5).size(0), 0);
  EXPECT_THAT(reader.bad_rows(), IsEmpty()) << "they belong to the last rows";
}

TEST_F(BadCellsTest, LinesAfterAQuoteInALaterRow) {
  CsvReader reader = open("a,b\n1,\"2\n3,4\n5,\"6\n7,8\n", {.bad_cells = BadCells::kAllAsNan});
  expect_rows(read_all(reader),
              {{kMissingValue, kMissingValue}, {3, 4}, {kMissingValue, kMissingValue}, {7, 8}});
}

TEST_F(BadCellsTest, ArraysGiveReasonsToo) {
  const at::Tensor rows =
      at::tensor({1.0, kMissingValue, 3.0, kInfinity}, at::kDouble).reshape({2, 2});
  write_npy(folder_ / "a.npy", rows);
  NpyReader reader(folder_ / "a.npy", {.bad_cells = BadCells::kAllAsNan});
  expect_rows(reader.next(9), {{1, kMissingValue}, {3, kMissingValue}});
  ASSERT_EQ(reader.bad_rows().size(), 2U);
  EXPECT_THAT(reader.bad_rows()[1].reason, HasSubstr("row 1, column_1: expected a finite value"));
  NpyReader missing(folder_ / "a.npy", {.bad_cells = BadCells::kMissingAsNan});
  expect_error<DomainError>([&] { missing.next(9); }, {"row 1, column_1", "inf"});
  NpyReader large(golden_npy("large_integer.npy"), {.bad_cells = BadCells::kAllAsNan});
  expect_rows(large.next(9), {{1}, {kMissingValue}});
  EXPECT_THAT(large.bad_rows()[0].reason, HasSubstr("2^53"));
}

TEST_F(BadCellsTest, BooleansDatesAndCategories) {
  FileOptions options;
  options.cells["flag"] = {CellKind::kBoolean};
  options.cells["when"] = {CellKind::kDate};
  options.cells["kind"] = {CellKind::kCategory, {"red", "2", "blau"}};
  CsvReader reader = open(
      "flag,when,kind,x\n"
      "True,1970-01-01,red,1\n"
      "no,1970-01-02T00:00:01.5Z,2.0,2\n"
      "F,1970-01-01 01:00+01:00, blau ,3\n"
      "1,\"1969-12-31 23:59\",red,4\n",
      options);
  expect_rows(read_all(reader), {{1, 0, 0, 1}, {0, 86401.5, 1, 2}, {0, 0, 2, 3}, {1, -60, 0, 4}});
}

TEST_F(BadCellsTest, OtherKindsAreRefusedByName) {
  const auto expect = [&](const CellReading& reading, const std::string& cell,
                          const std::vector<std::string>& parts) {
    FileOptions options;
    options.cells["a"] = reading;
    CsvReader reader = open("a,b\n" + cell + ",2\n", options);
    expect_error<DomainError>([&] { read_all(reader); }, parts);
  };
  expect({CellKind::kBoolean}, "maybe", {"line 2", "true or false", "'maybe'"});
  expect({CellKind::kDate}, "2023-02-29", {"ISO 8601", "'2023-02-29'"});
  expect({CellKind::kDate}, "29.02.2024", {"ISO 8601"});
  expect({CellKind::kCategory, {"red", "green"}}, "gren", {"red, green", "Did you mean 'green'?"});
  expect({CellKind::kCategory, {"red", "green"}}, "NA", {"a missing value 'NA'"});
  FileOptions options;
  options.cells["a"] = {CellKind::kCategory, {}};
  expect_error<ConfigError>([&] { open("a,b\n1,2\n", options); }, {"cells 'a'", "categories"});
  options.cells.clear();
  options.cells["c"] = {CellKind::kDate};
  expect_error<ConfigError>([&] { open("a,b\n1,2\n", options); }, {"'c'"});
}

TEST_F(BadCellsTest, CategoriesOfArraysAreNumbers) {
  write_npy(folder_ / "a.npy", at::tensor({5.0, 2.0, 5.0}, at::kDouble).unsqueeze(1));
  FileOptions options;
  options.cells["column_0"] = {CellKind::kCategory, {"2", "5"}};
  expect_rows(read_all(*open_rows(folder_ / "a.npy", options)), {{1}, {0}, {1}});
  options.cells["column_0"].categories = {"5"};
  expect_error<DomainError>([&] { read_all(*open_rows(folder_ / "a.npy", options)); },
                            {"row 1", "one of 5", "2"});
}

TEST_F(BadCellsTest, TextsAreKeptBesideTheRows) {
  CsvReader reader =
      open("id,x,note\nA-1,1,\"one, two\"\nB-2,2,\n", {.columns = {"x"}, .keep = {"note", "id"}});
  expect_rows(reader.next(1), {{1}});
  EXPECT_THAT(reader.kept(), ElementsAre(ElementsAre("one, two"), ElementsAre("A-1")));
  expect_rows(reader.next(9), {{2}});
  EXPECT_THAT(reader.kept(), ElementsAre(ElementsAre(""), ElementsAre("B-2")));
}

TEST_F(BadCellsTest, KeptTextsOfBadRowsAreThoseThatAreThere) {
  CsvReader reader = open(
      "id,x\nA\nB,2\n", {.columns = {"x"}, .bad_cells = BadCells::kAllAsNan, .keep = {"id", "x"}});
  expect_rows(reader.next(9), {{kMissingValue}, {2}});
  EXPECT_THAT(reader.kept(), ElementsAre(ElementsAre("A", "B"), ElementsAre("", "2")));
}

TEST_F(BadCellsTest, KeptNumbersOfArrays) {
  write_npy(folder_ / "a.npy", at::tensor({0.1F, 1e20F, 2.0F, 3.0F}, at::kFloat).reshape({2, 2}));
  NpyReader reader(folder_ / "a.npy", {.columns = {"1"}, .keep = {"column_0"}});
  EXPECT_EQ(reader.next(9).size(1), 1);
  EXPECT_THAT(reader.kept(), ElementsAre(ElementsAre("0.1", "2")));
  NpyReader large(golden_npy("large_beside.npy"), {.columns = {"0"}, .keep = {"1"}});
  expect_rows(large.next(9), {{1}, {2}});
  EXPECT_THAT(large.kept(), ElementsAre(ElementsAre("1152921504606846976", "3")));
}

}  // namespace
}  // namespace contraflow::data
