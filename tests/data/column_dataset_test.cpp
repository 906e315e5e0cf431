#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "contraflow/core/rng.h"
#include "contraflow/data/dataset.h"
#include "tests/data/expect_error.h"
#include "tests/support/csv_text.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::csv_text;
using contraflow::testing::expect_error;
using contraflow::testing::TempFolder;
using contraflow::testing::write_bytes;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ColumnDataset : public ::testing::Test {
 protected:
  DataOptions options(const at::Tensor& rows, const std::string& header = "x,y") {
    write_bytes(folder_ / "t.csv", csv_text(header, rows));
    return {.name = (folder_ / "t.csv").string()};
  }
  static KnownData known(const Dataset& data, bool allow_changed = false) {
    return {data.columns, data.identity.value(), allow_changed};
  }
  static at::Tensor all(const SourcePtr& part) { return part->rows(0, *part->size()).x; }

  at::Tensor rows_ = Rng(3).normal({200, 2}, at::kDouble);
  TempFolder folder_;
};

TEST_F(ColumnDataset, BatchesKeepTheirDigits) {
  const at::Tensor time = 1.7e9 + 60.0 * rows_;
  const Dataset data = open_data(options(time), at::kFloat);
  const at::Tensor batch = data.splits.train->rows(0, 10).x;
  EXPECT_EQ(batch.scalar_type(), at::kDouble);
  EXPECT_NEAR(data.columns.infos[0].center, 1.7e9, 30.0);
  EXPECT_NEAR(data.columns.infos[0].scale, 60.0, 10.0);
}

TEST_F(ColumnDataset, ConditionsGetAScaleAndWeightsAMean) {
  DataOptions o = options(at::cat({rows_, 1e5 + 10.0 * rows_.select(1, 0).unsqueeze(1),
                                   1e50 * rows_.select(1, 1).abs().unsqueeze(1)},
                                  1),
                          "x,y,c,w");
  o.condition = {"c"};
  o.weight = "w";
  const Dataset data = open_data(o);
  ASSERT_EQ(data.columns.condition_scale.size(), 1U);
  EXPECT_NEAR(data.columns.condition_scale[0].center, 1e5, 5.0);
  const Batch batch = data.splits.train->rows(0, *data.splits.train->size());
  EXPECT_NEAR(batch.weight.mean().item<double>(), 1.0, 0.2);
}

TEST_F(ColumnDataset, TheSameRowsInAnotherOrderAreTheSameData) {
  const Dataset data = open_data(options(rows_));
  const KnownData before = known(data);
  const Dataset again = open_data(options(rows_.flip(0)), at::kFloat, &before);
  EXPECT_TRUE(all(data.splits.test).equal(all(again.splits.test)));
  EXPECT_EQ(again.columns.infos[0].center, data.columns.infos[0].center);
}

TEST_F(ColumnDataset, ChangedDataAreRefusedOrHoldNoTrainedRow) {
  const Dataset data = open_data(options(rows_));
  const KnownData strict = known(data), open = known(data, /*allow_changed=*/true);
  const at::Tensor more = at::cat({rows_.narrow(0, 20, 180), Rng(9).normal({300, 2}, at::kDouble)});
  expect_error<DomainError>([&] { open_data(options(more), at::kFloat, &strict); },
                            {"200 rows", "480 rows", "--allow-changed-data"});
  const Dataset changed = open_data(options(more), at::kFloat, &open);
  const at::Tensor trained = all(data.splits.train).select(1, 0);
  for (const SourcePtr& part : {changed.splits.validation, changed.splits.test}) {
    EXPECT_FALSE(at::isin(all(part).select(1, 0), trained).any().item<bool>());
  }
  at::Tensor edited = rows_.clone();
  edited[7][1] += 1e-9;
  expect_error<DomainError>([&] { open_data(options(edited), at::kFloat, &strict); }, {"checksum"});
}

TEST_F(ColumnDataset, CopiesOfARowFallOnOneSideAndAreSaid) {
  const Dataset data = open_data(options(rows_.repeat({10, 1})));
  const auto values = [](const SourcePtr& part) {
    return part->rows(0, *part->size()).x.select(1, 0);
  };
  const at::Tensor test = values(data.splits.test);
  EXPECT_EQ(std::get<0>(at::_unique(test)).size(0) * 10, test.size(0));
  EXPECT_FALSE(at::isin(test, values(data.splits.train)).any().item<bool>());
  EXPECT_THAT(data.notes, Contains(HasSubstr("1,800 of 2,000 rows repeat another one")));
}

TEST_F(ColumnDataset, AbsurdRowsAreSetAsideByName) {
  at::Tensor rows = rows_.clone();
  rows[11][1] = 1e6;
  const Dataset data = open_data(options(rows));
  EXPECT_THAT(data.notes,
              Contains(AllOf(HasSubstr("row 11"), HasSubstr("'y'"), HasSubstr("1e+06"))));
  EXPECT_EQ(
      *data.splits.train->size() + *data.splits.validation->size() + *data.splits.test->size(),
      199);
}

TEST_F(ColumnDataset, AnAtomWithoutAStepIsSaid) {
  at::Tensor rows = rows_.clone();
  rows.select(1, 1).slice(0, 0, 200, 2).fill_(1.0 / 3.0);
  EXPECT_THAT(open_data(options(rows)).notes,
              Contains(HasSubstr("y: 50 % of the rows are exactly")));
}

TEST_F(ColumnDataset, GroupsAndTimesSplit) {
  const at::Tensor g = at::arange(200, at::kDouble).div(10, "floor").unsqueeze(1);
  DataOptions o = options(at::cat({rows_, g}, 1), "x,y,g");
  o.group = "g";
  const Dataset data = open_data(o);
  EXPECT_THAT(data.columns.names, ElementsAre("x", "y"));
  EXPECT_EQ(*data.splits.test->size() % 10, 0);
  o.group = "";
  o.time = "g";
  const at::Tensor last = rows_.narrow(0, 180, 20).select(1, 0);
  EXPECT_TRUE(at::isin(all(open_data(o).splits.test).select(1, 0), last).all().item<bool>());
}

TEST_F(ColumnDataset, ExcludedColumnsAreLeftOut) {
  DataOptions o = options(at::cat({rows_, rows_.square()}, 1), "x,y,u,v");
  o.exclude = {"u", "y"};
  const Dataset data = open_data(o);
  EXPECT_THAT(data.columns.names, ElementsAre("x", "v"));
  EXPECT_THAT(data.columns.file_numbers, ElementsAre(0, 3));
}

}  // namespace
}  // namespace contraflow::data
