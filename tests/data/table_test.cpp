#include "contraflow/data/table.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "contraflow/core/error.h"
#include "tests/data/expect_error.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using contraflow::testing::TempFolder;
using contraflow::testing::write_bytes;
using ::testing::ElementsAre;

Table table_of(std::vector<double> values) {
  return {{"a", "b"}, at::tensor(values, at::kDouble).reshape({-1, 2}), "t.csv"};
}

TEST(Table, ReadsAFile) {
  const TempFolder folder;
  write_bytes(folder / "t.csv", "a,b\n1,2\n3,4\n");
  const Table table = read_table(folder / "t.csv");
  EXPECT_THAT(table.columns, ElementsAre("a", "b"));
  EXPECT_TRUE(table.rows.equal(at::tensor({1., 2., 3., 4.}, at::kDouble).reshape({2, 2})));
}

TEST(Table, LongFilesAreReadWhole) {
  const TempFolder folder;
  std::string text;
  for (int i = 0; i < 40'000; ++i) text += std::to_string(i) + "\n";
  write_bytes(folder / "t.csv", text);
  EXPECT_TRUE(read_table(folder / "t.csv").rows.squeeze(1).equal(at::arange(40'000, at::kDouble)));
}

TEST(Table, GoodTablesPass) {
  EXPECT_NO_THROW(check_table(table_of({1, 2, 3, 4})));
  EXPECT_NO_THROW(check_table(table_of({1, 2, 1, 4}), {.allow_constant_columns = true}));
  EXPECT_NO_THROW(check_table(table_of({0, 2, 1, 0}), {.levels = 3}));
  EXPECT_NO_THROW(check_table(table_of({0, 1, 1, 0.5}), {.low = 0.0, .high = 1.0}));
}

TEST(Table, ValuesThatAreNotFinite) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInf = std::numeric_limits<double>::infinity();
  expect_error<DomainError>(
      [] {
        check_table(table_of({1, 2, 3, kNan}));
      },
      {"t.csv, row 1, column 1 'b'", "nan", "impute"});
  expect_error<DomainError>(
      [] {
        check_table(table_of({-kInf, 2, 3, 4}));
      },
      {"t.csv, row 0, column 0 'a'", "-inf"});
}

TEST(Table, ConstantColumnsAreNamed) {
  expect_error<DomainError>(
      [] {
        check_table(table_of({1, 2, 3, 2}));
      },
      {"t.csv", "one value only in b", "columns = [...]", "levels"});
  expect_error<DomainError>([] { check_table(table_of({1, 2, 1, 2})); }, {"a, b"});
}

TEST(Table, TooSmall) {
  expect_error<ShapeError>([] { check_table(table_of({1, 2})); }, {"two rows or more", "got 1"});
  expect_error<ShapeError>(
      [] {
        check_table({{"a"}, at::ones({0, 1}, at::kDouble), "t"});
      },
      {"got 0"});
  expect_error<ShapeError>(
      [] {
        check_table({{}, at::ones({5, 0}, at::kDouble), "t"});
      },
      {"column"});
}

TEST(Table, LevelsAndBoundsAreEnforced) {
  expect_error<DomainError>(
      [] {
        check_table(table_of({0, 2, 1, 3}), {.levels = 3});
      },
      {"row 1, column 1 'b'", "0 to 2", "levels"});
  expect_error<DomainError>(
      [] {
        check_table(table_of({0.5, 2, 1, 0}), {.levels = 3});
      },
      {"row 0, column 0", "0.5"});
  expect_error<DomainError>([] { check_table(table_of({0, 2, -1, 0}), {.levels = 3}); }, {"-1"});
  expect_error<DomainError>(
      [] {
        check_table(table_of({0, 1, 1, 1.25}), {.low = 0.0, .high = 1.0});
      },
      {"row 1, column 1", "1.25", "[0, 1]"});
}

}  // namespace
}  // namespace contraflow::data
