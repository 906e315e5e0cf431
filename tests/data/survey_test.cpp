// What a table holds, column by column.
#include "contraflow/data/survey.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "contraflow/core/error.h"
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
using ::testing::SizeIs;

class Survey : public ::testing::Test {
 protected:
  TableSurvey survey(const std::string& text, const FileOptions& options = {}) {
    write_bytes(folder_ / "data.csv", text);
    return survey_rows(folder_ / "data.csv", options);
  }
  TempFolder folder_;
};

TEST_F(Survey, IntegersThatFloat64DoesNotHaveAreCounted) {
  const TableSurvey got = survey(
      "id,even,power,decimal\n"
      "9007199254740993,9007199254740994,+1e22,9007199254740993.5\n"
      "-36028797018963969,36028797018963968,18446744073709551616,1\n"
      "5,0009007199254740992,100000000000000000000000000,2\n");
  const auto inexact = [&](size_t c) { return got.columns.at(c).inexact; };
  EXPECT_EQ(inexact(0), 2);
  EXPECT_EQ(inexact(1), 0);
  EXPECT_EQ(inexact(2), 1) << "1e26 is none of float64's";
  EXPECT_EQ(inexact(3), 0) << "a decimal is rounded as all are";
}

TEST_F(Survey, EveryColumnIsTold) {
  const TableSurvey got = survey(
      ";x;when;flag;kind\n"
      "0;1,5;2024-01-01;yes;red\n"
      "1;NA;2024-01-02 10:00;no;3\n"
      "2;-999;;True;red\n"
      "3;1e999;2024-01-03;f;blue\n",
      {.missing = {"-999"}});
  EXPECT_EQ(got.rows, 4);
  EXPECT_EQ(got.bad_rows, 0);
  EXPECT_EQ(got.format.delimiter, CsvDelimiter::kSemicolon);
  EXPECT_EQ(got.format.decimal, DecimalMark::kComma);
  EXPECT_THAT(got.notes, SizeIs(2));
  ASSERT_THAT(got.columns, SizeIs(5));
  EXPECT_TRUE(got.columns[0].unnamed);
  EXPECT_EQ(got.columns[0].name, "column_0");
  EXPECT_EQ(got.columns[0].numbers, 4);
  const ColumnSurvey& x = got.columns[1];
  EXPECT_EQ(x.name, "x");
  EXPECT_EQ(x.number, 1);
  EXPECT_FALSE(x.unnamed);
  EXPECT_EQ(x.numbers, 1);
  EXPECT_EQ(x.missing, 2);
  EXPECT_EQ(x.infinite, 1);
  EXPECT_EQ(x.first_bad, "1e999");
  EXPECT_EQ(x.first_bad_line, 5);
  EXPECT_EQ(x.suggestion(), CellKind::kNumber);
  EXPECT_EQ(got.columns[2].dates, 3);
  EXPECT_EQ(got.columns[2].missing, 1);
  EXPECT_EQ(got.columns[2].suggestion(), CellKind::kDate);
  EXPECT_EQ(got.columns[3].booleans, 4);
  EXPECT_EQ(got.columns[3].suggestion(), CellKind::kBoolean);
  const ColumnSurvey& kind = got.columns[4];
  EXPECT_EQ(kind.texts, 3);
  EXPECT_EQ(kind.numbers, 1);
  EXPECT_THAT(kind.distinct, ElementsAre("red", "3", "blue"));
  EXPECT_FALSE(kind.more_distinct);
  EXPECT_EQ(kind.first_bad, "red");
  EXPECT_EQ(kind.first_bad_line, 2);
  EXPECT_EQ(kind.suggestion(), CellKind::kCategory);
}

TEST_F(Survey, DistinctTextsAreBounded) {
  std::string text = "id,long\n";
  for (int i = 0; i < 1500; ++i) text += "k" + std::to_string(i) + ",a\n";
  text += "k0," + std::string(300, 'x') + "\n";
  const TableSurvey got = survey(text);
  EXPECT_THAT(got.columns[0].distinct, SizeIs(ColumnSurvey::kMostDistinct));
  EXPECT_EQ(got.columns[0].distinct.back(), "k999");
  EXPECT_TRUE(got.columns[0].more_distinct);
  EXPECT_EQ(got.columns[0].texts, 1501);
  EXPECT_THAT(got.columns[1].distinct, ElementsAre("a"));
  EXPECT_TRUE(got.columns[1].more_distinct) << "a text too long to keep";
}

TEST_F(Survey, RowsThatAreNoneAreCounted) {
  const TableSurvey got = survey("a,b\n1,2\n3\n\n4,5,6\n7,8\n");
  EXPECT_EQ(got.rows, 5);
  EXPECT_EQ(got.bad_rows, 3);
  EXPECT_THAT(got.first_bad_row, HasSubstr("line 3 (row 1): expected 2 fields, got 1"));
  EXPECT_EQ(got.columns[0].numbers, 2);
}

TEST_F(Survey, ColumnsOfOneNameAreTold) {
  const TableSurvey got = survey("x,x\n1,2\n");
  EXPECT_EQ(got.columns[0].name, "x");
  EXPECT_EQ(got.columns[1].name, "x");
}

TEST_F(Survey, ArraysHoldNumbers) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  write_npy(folder_ / "a.npy", at::tensor({1.0, nan, 3.0, 4.0}, at::kDouble).reshape({2, 2}));
  const TableSurvey got = survey_rows(folder_ / "a.npy");
  EXPECT_EQ(got.rows, 2);
  EXPECT_EQ(got.columns[0].numbers, 2);
  EXPECT_EQ(got.columns[1].numbers, 1);
  EXPECT_EQ(got.columns[1].missing, 1);
  EXPECT_EQ(got.columns[1].suggestion(), CellKind::kNumber);
  EXPECT_THAT(survey_rows(golden_npy("events_c.npy")).columns, IsEmpty());
  EXPECT_EQ(survey_rows(golden_npy("events_c.npy")).rows, 2);
  EXPECT_EQ(survey_rows(golden_npy("records.npy")).columns[2].number, 3);
}

TEST_F(Survey, FilesWithoutRows) {
  expect_error<IoError>([&] { survey("a,b\n"); }, {"rows of data", "a header only"});
  expect_error<ConfigError>([&] { survey_rows(folder_ / "a.xlsx"); }, {"'.xlsx'"});
}

}  // namespace
}  // namespace contraflow::data
