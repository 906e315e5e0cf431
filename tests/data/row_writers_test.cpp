// Files that this library writes are read back: names, texts beside numbers, scores that are not there.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "contraflow/core/error.h"
#include "contraflow/data/rows.h"
#include "tests/data/expect_error.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using contraflow::testing::read_bytes;
using contraflow::testing::TempFolder;
using ::testing::ElementsAre;

constexpr double kNoScore = std::numeric_limits<double>::quiet_NaN();

at::Tensor scores() {
  return at::tensor({1.5, kNoScore, kNoScore, 4.0}, at::kDouble).reshape({2, 2});
}

TEST(RowWriters, TabsInFilesNamedTsv) {
  const TempFolder folder;
  const auto writer = create_rows(folder / "s.tsv", {"a,b", "c\td"}, at::kDouble);
  writer->append(at::ones({1, 2}));
  writer->finish();
  EXPECT_EQ(read_bytes(folder / "s.tsv"), "a,b\t\"c\td\"\n1\t1\n");
  const auto reader = open_rows(folder / "s.tsv");
  EXPECT_THAT(reader->columns(), ElementsAre("a,b", "c\td"));
  EXPECT_TRUE(read_all(*reader).equal(at::ones({1, 2}, at::kDouble)));
}

TEST(RowWriters, AScoreThatIsNotThereIsEmpty) {
  const TempFolder folder;
  for (const char* name : {"s.csv", "s.npy"}) {
    const auto writer = create_rows(folder / name, {"p", "e"}, at::kDouble);
    writer->append(scores());
    writer->finish();
    const auto back = open_rows(folder / name, {.bad_cells = BadCells::kMissingAsNan});
    EXPECT_TRUE(at::allclose(read_all(*back), scores(), 0, 0, true)) << name;
  }
  EXPECT_EQ(read_bytes(folder / "s.csv"), "p,e\n1.5,\n,4\n");
}

TEST(RowWriters, OneColumnWithoutValuesHasNoEmptyLines) {
  const TempFolder folder;
  const auto writer = create_rows(folder / "s.csv", {"p"}, at::kDouble);
  writer->append(scores().reshape({4, 1}));
  writer->finish();
  EXPECT_EQ(read_bytes(folder / "s.csv"), "p\n1.5\n\"\"\n\"\"\n4\n");
  const auto back = open_rows(folder / "s.csv", {.bad_cells = BadCells::kMissingAsNan});
  EXPECT_EQ(read_all(*back).size(0), 4);
}

TEST(RowWriters, TextsStandBeforeTheNumbers) {
  const TempFolder folder;
  const auto writer = create_rows(folder / "s.csv", {"p", "e"}, at::kDouble, {"id", "#note"});
  writer->append(at::ones({2, 2}), {{"a", "b,\"c\""}, {"", "two\nlines"}});
  expect_error<ShapeError>([&] { writer->append(at::ones({2, 2})); }, {"2 columns of 2 texts"});
  expect_error<ShapeError>(
      [&] {
        writer->append(at::ones({2, 2}), {{"a", "b"}, {"a"}});
      },
      {"2 texts"});
  writer->finish();
  EXPECT_EQ(read_bytes(folder / "s.csv"),
            "id,\"#note\",p,e\na,,1,1\n\"b,\"\"c\"\"\",\"two\nlines\",1,1\n");
  const auto reader = open_rows(folder / "s.csv", {.columns = {"p"}, .keep = {"id", "#note"}});
  EXPECT_EQ(reader->next(9).size(0), 2);
  EXPECT_THAT(reader->kept(),
              ElementsAre(ElementsAre("a", "b,\"c\""), ElementsAre("", "two\nlines")));
}

TEST(RowWriters, ArraysHoldNumbersOnly) {
  const TempFolder folder;
  expect_error<ConfigError>([&] { create_rows(folder / "s.npy", {"p"}, at::kDouble, {"id"}); },
                            {"s.npy", "id", ".csv"});
  const auto writer = create_rows(folder / "s.npy", {"p"}, at::kDouble);
  expect_error<ConfigError>(
      [&] {
        writer->append(at::ones({1, 1}), {{"a"}});
      },
      {"columns of text"});
}

}  // namespace
}  // namespace contraflow::data
