#include "contraflow/data/dataset.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "contraflow/core/error.h"
#include "contraflow/data/digits.h"
#include "contraflow/data/npy.h"
#include "contraflow/data/toy.h"
#include "tests/data/expect_error.h"
#include "tests/support/npy.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using contraflow::testing::TempFolder;
using contraflow::testing::write_bytes;
using contraflow::testing::write_npy;
using ::testing::ElementsAre;
using ::testing::SizeIs;

at::Tensor all_rows(const SourcePtr& source) { return source->rows(0, *source->size()).x; }

at::Tensor together(const Splits& splits) {
  return at::cat({all_rows(splits.train), all_rows(splits.validation), all_rows(splits.test)});
}

// 100 rows: id, two features, a class, a weight.
std::string sample_csv() {
  std::string text = "id,x,y,k,w\n";
  for (int i = 0; i < 100; ++i) {
    const std::string n = std::to_string(i);
    text +=
        n + "," + n + ".5,-" + std::to_string(i * i) + "," + std::to_string(i % 3) + "," + n + "\n";
  }
  return text;
}

class DatasetFile : public ::testing::Test {
 protected:
  DataOptions options(const std::string& text, const char* name = "data.csv") {
    write_bytes(folder_ / name, text);
    DataOptions out;
    out.name = (folder_ / name).string();
    return out;
  }
  TempFolder folder_;
};

TEST(Dataset, ToysAreAStreamAndTwoFixedSets) {
  const Dataset data = open_data({.name = "checkerboard"});
  EXPECT_EQ(data.splits.train->size(), std::nullopt);
  EXPECT_EQ(data.splits.validation->size(), 10'000);
  EXPECT_EQ(data.splits.test->size(), 100'000);
  EXPECT_THAT(data.columns.event_shape, ElementsAre(2));
  EXPECT_THAT(data.columns.names, SizeIs(2));
  EXPECT_DOUBLE_EQ(data.columns.entropy.value(), std::log(32.0));
  EXPECT_EQ(data.columns.plot_box, 4.0);
  EXPECT_EQ(data.columns.levels, 0);
  EXPECT_EQ(data.splits.train->batch(0, 5).x.scalar_type(), at::kFloat);
  EXPECT_EQ(open_data({.name = "moons"}, at::kDouble).splits.test->rows(0, 1).x.scalar_type(),
            at::kDouble);
}

TEST(Dataset, ToysMayBeConditionedOnTheirLabel) {
  const Dataset data = open_data({.name = "8gaussians", .label = "label", .test_rows = 300});
  EXPECT_THAT(data.columns.names, ElementsAre("x0", "x1"));
  EXPECT_EQ(data.columns.condition_size(), 8);
  EXPECT_EQ(data.columns.entropy, toy_density("8gaussians").entropy_given_label);
  const Dataset plain = open_data({.name = "8gaussians", .test_rows = 300});
  for (const SourcePtr& source : {data.splits.train, data.splits.validation, data.splits.test}) {
    const Batch batch = source->rows(0, 300);
    EXPECT_EQ(batch.condition.sizes(), at::IntArrayRef({300, 8}));
    const at::Tensor angle = batch.condition.argmax(1).to(at::kFloat) * (M_PI / 4);
    const at::Tensor centre = at::stack({angle.cos(), angle.sin()}, 1) * (4.0 / 1.414);
    EXPECT_LT((batch.x - centre).abs().max().item<double>(), 6 * 0.5 / 1.414);
  }
  EXPECT_TRUE(all_rows(data.splits.test).equal(all_rows(plain.splits.test)));
}

TEST(Dataset, ToysMayBeConditionedOnAColumn) {
  const Dataset data = open_data({.name = "checkerboard", .condition = {"x0"}});
  EXPECT_THAT(data.columns.event_shape, ElementsAre(1));
  EXPECT_THAT(data.columns.names, ElementsAre("x1"));
  EXPECT_EQ(data.columns.entropy, std::nullopt);
  const Batch batch = data.splits.train->batch(3, 50);
  const at::Tensor both = open_data({.name = "checkerboard"}).splits.train->batch(3, 50).x;
  EXPECT_TRUE(at::cat({batch.condition, batch.x}, 1).equal(both));
  EXPECT_THAT(open_data({.name = "moons", .columns = {"x1"}}).columns.event_shape, ElementsAre(1));
}

TEST(Dataset, ToyPartsComeFromDifferentStreams) {
  const Splits splits = open_data({.name = "moons"}, at::kDouble).splits;
  const at::Tensor x = at::cat({splits.train->rows(0, 1000).x, splits.validation->rows(0, 1000).x,
                                splits.test->rows(0, 1000).x});
  EXPECT_EQ(std::get<0>(at::_unique(x.select(1, 0).contiguous())).size(0), 3000)
      << "no sample twice";
}

TEST(Dataset, SeedDecidesEverything) {
  for (const char* name : {"moons", "digits"}) {
    const Splits a = open_data({.name = name, .seed = 3}).splits;
    const Splits b = open_data({.name = name, .seed = 3}).splits;
    const Splits c = open_data({.name = name, .seed = 4}).splits;
    EXPECT_TRUE(a.train->batch(9, 50).x.equal(b.train->batch(9, 50).x)) << name;
    EXPECT_TRUE(all_rows(a.test).equal(all_rows(b.test))) << name;
    EXPECT_FALSE(a.train->batch(9, 50).x.equal(c.train->batch(9, 50).x)) << name;
    EXPECT_FALSE(all_rows(a.test).equal(all_rows(c.test))) << name;
  }
}

TEST(Dataset, DigitsAreSplitAndKnowTheirLevels) {
  const Dataset data = open_data({.name = "digits"}, at::kDouble);
  EXPECT_EQ(data.splits.train->size(), 1293);
  EXPECT_EQ(data.splits.validation->size(), 144);
  EXPECT_EQ(data.splits.test->size(), 360);
  EXPECT_EQ(data.columns.levels, 17);
  EXPECT_THAT(data.columns.event_shape, ElementsAre(64));
  EXPECT_FALSE(data.splits.train->batch(0, 2).condition.defined());
  // Complete and disjoint: the images are distinct, and each is in one part.
  const auto key = [](const at::Tensor& x) {
    return std::get<0>(x.matmul(at::arange(64, at::kDouble).add(1.0).sqrt()).sort());
  };
  EXPECT_TRUE(key(together(data.splits)).allclose(key(load_digits().x), 1e-12, 0.0));
}

TEST(Dataset, DigitsMayBeConditionedOnTheirLabel) {
  const Dataset data = open_data({.name = "digits", .label = "label"});
  EXPECT_EQ(data.columns.classes, 10);
  const Batch batch = data.splits.train->batch(0, 100);
  EXPECT_EQ(batch.condition.sizes(), at::IntArrayRef({100, 10}));
  EXPECT_TRUE(batch.condition.sum(1).equal(at::ones({100})));
}

TEST_F(DatasetFile, ColumnsGetTheirMeaning) {
  DataOptions o = options(sample_csv());
  o.condition = {"id"};
  o.label = "k";
  o.weight = "-1";
  const Dataset data = open_data(o, at::kDouble);
  EXPECT_THAT(data.columns.names, ElementsAre("x", "y"));
  EXPECT_THAT(data.columns.to_read(), ElementsAre("x", "y", "id", "k", "w"));
  EXPECT_EQ(data.columns.classes, 3);
  EXPECT_EQ(data.splits.train->size(), 80);
  const Batch batch = data.splits.train->rows(0, 80);
  const at::Tensor id = batch.condition.select(1, 0);
  EXPECT_TRUE(batch.x.select(1, 0).equal(id + 0.5));
  EXPECT_TRUE(batch.x.select(1, 1).equal(-id.square()));
  EXPECT_TRUE(batch.weight.allclose(id / 49.5)) << "of mean 1 over all rows";
  EXPECT_TRUE(batch.condition.narrow(1, 1, 3).argmax(1).equal(id.remainder(3.0).to(at::kLong)));
}

TEST_F(DatasetFile, PartsAreDisjointAndComplete) {
  DataOptions o = options(sample_csv());
  o.columns = {"id"};
  o.validation_rows = 7;
  o.test_fraction = 0.25;
  const Splits splits = open_data(o, at::kDouble).splits;
  EXPECT_EQ(splits.validation->size(), 7);
  EXPECT_EQ(splits.test->size(), 25);
  EXPECT_TRUE(std::get<0>(together(splits).flatten().sort()).equal(at::arange(100, at::kDouble)));
  o.test_rows = 0;
  EXPECT_EQ(open_data(o).splits.test, nullptr);
}

TEST_F(DatasetFile, ArraysAreRead) {
  write_npy(folder_ / "images.npy", at::arange(480, at::kDouble).reshape({20, 1, 4, 6}));
  const Dataset images = open_data({.name = (folder_ / "images.npy").string()});
  EXPECT_THAT(images.columns.event_shape, ElementsAre(1, 4, 6));
  EXPECT_EQ(images.splits.train->batch(0, 3).x.sizes(), at::IntArrayRef({3, 1, 4, 6}));
  write_npy(folder_ / "table.npy", at::arange(60, at::kDouble).reshape({20, 3}));
  const Dataset table =
      open_data({.name = (folder_ / "table.npy").string(), .columns = {"2", "0"}});
  EXPECT_THAT(table.columns.names, ElementsAre("column_2", "column_0"));
}

TEST_F(DatasetFile, PixelsOfAnArrayAreThoseOfItsWideForm) {
  const at::Tensor pixels = at::arange(480).remainder(7).reshape({20, 1, 4, 6});
  write_npy(folder_ / "bytes.npy", pixels.to(at::kByte));
  write_npy(folder_ / "doubles.npy", pixels.to(at::kDouble));
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const Dataset bytes = open_data({.name = (folder_ / "bytes.npy").string(), .levels = 7}, dtype);
    const Dataset wide =
        open_data({.name = (folder_ / "doubles.npy").string(), .levels = 7}, dtype);
    EXPECT_TRUE(together(bytes.splits).equal(together(wide.splits)));
    EXPECT_TRUE(bytes.splits.train->batch(2, 5).x.equal(wide.splits.train->batch(2, 5).x));
    EXPECT_EQ(bytes.splits.train->batch(2, 5).x.scalar_type(), dtype);
    EXPECT_THAT(bytes.columns.image, ElementsAre(1, 4, 6));
  }
  // Labels and conditions of a small type must not wrap around.
  at::Tensor table = at::arange(80).reshape({20, 4}).remainder(5);
  table.select(1, 2).copy_(at::arange(20) * 10);
  write_npy(folder_ / "small.npy", table.to(at::kByte));
  write_npy(folder_ / "large.npy", table.to(at::kDouble));
  const auto open = [&](const char* name) {
    return open_data({.name = (folder_ / name).string(), .condition = {"0"}, .label = "2"});
  };
  const Batch small = open("small.npy").splits.train->batch(0, 9);
  const Batch large = open("large.npy").splits.train->batch(0, 9);
  EXPECT_EQ(small.condition.size(1), 1 + 191);
  EXPECT_TRUE(small.condition.equal(large.condition));
  EXPECT_TRUE(small.x.equal(large.x));
}

TEST_F(DatasetFile, RowsMayBeImages) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += std::to_string(i) + ",1,2," + std::to_string(-i) + "\n";
  DataOptions o = options(text);
  o.levels = 0;
  o.columns = {"0", "3"};
  EXPECT_THAT(open_data(o).columns.image, SizeIs(0));
  o.image = {2, 1};
  EXPECT_THAT(open_data(o).columns.image, ElementsAre(1, 2, 1));
  o.image = {2, 2};
  expect_error<ConfigError>([&] { open_data(o); }, {"image", "2 pixels", "[2, 2]"});
  o.image = {4};
  expect_error<ConfigError>([&] { open_data(o); }, {"[height, width]", "[4]"});
  EXPECT_THAT(open_data({.name = "digits"}).columns.image, ElementsAre(1, 8, 8));
  EXPECT_THAT(open_data({.name = "digits", .columns = {"pixel_1_1", "pixel_2_2"}}).columns.image,
              SizeIs(0));
}

TEST_F(DatasetFile, LevelsAndBoundsAreCheckedAndKept) {
  DataOptions o = options("0,1\n3,2\n1,1\n2,0\n");
  o.header = CsvHeader::kNo;  // "0,1" may count the columns
  o.levels = 4;
  EXPECT_EQ(open_data(o).columns.levels, 4);
  o.levels = 3;
  expect_error<DomainError>([&] { open_data(o); }, {"row 1, column 0", "0 to 2"});
  o.levels = 0;
  o.bounds = {0.0, 3.0};
  for (const ColumnInfo& info : open_data(o).columns.infos) {
    EXPECT_EQ(info.kind, ColumnKind::kBounded);
    EXPECT_EQ(info.upper, 3.0);
  }
  o.bounds = {0.0, 2.5};
  expect_error<DomainError>([&] { open_data(o); }, {"row 1, column 'column_0'", "[0, 2.5]"});
}

TEST_F(DatasetFile, BadTablesAreRefused) {
  const std::string constant = "a,b\n1.5,2\n3,2\n4,2\n";
  EXPECT_THAT(open_data(options(constant)).columns.left_out, SizeIs(1));
  DataOptions chosen = options(constant);
  chosen.columns = {"a", "b"};
  expect_error<DomainError>([&] { open_data(chosen); }, {"'b'", "constant"});
  expect_error<ShapeError>([&] { open_data(options("a,b\n1,2\n")); }, {"two rows"});
  expect_error<ConfigError>([&] { open_data(options("a,b\n1,2\n2,3\n")); }, {"split"});
  DataOptions strict = options("a,b\n1,2\n2,\n3,4\n");
  strict.missing = MissingRows::kError;
  expect_error<DomainError>([&] { open_data(strict); }, {"line 3", "missing"});
  const std::string mostly = "a,b\n1.5,2\n2,3\n2.5,7\n4,\n5.5,1\n";
  const Dataset dropped = open_data(options(mostly));
  EXPECT_EQ(dropped.identity->rows, 4);
  EXPECT_THAT(dropped.notes, ::testing::Contains(::testing::HasSubstr("dropped 1 of 5 rows")));
}

TEST_F(DatasetFile, ContradictingColumns) {
  DataOptions o = options(sample_csv());
  o.label = "k";
  o.columns = {"x", "k"};
  expect_error<ConfigError>([&] { open_data(o); }, {"'k' with two"});
  o.columns = {};
  o.condition = {"id", "x", "y", "w"};
  expect_error<ConfigError>([&] { open_data(o); }, {"a column to model"});
  o.condition = {"idd"};
  expect_error<ConfigError>([&] { open_data(o); }, {"Did you mean 'id'?"});
  write_npy(folder_ / "images.npy", at::ones({20, 2, 2}));
  expect_error<ConfigError>(
      [&] { open_data({.name = (folder_ / "images.npy").string(), .columns = {"0"}}); },
      {"events of shape [2, 2]"});
}

TEST_F(DatasetFile, UnknownNamesHaveANearestMatch) {
  expect_error<ConfigError>([] { open_data({.name = "checkerbord"}); },
                            {"'checkerbord'", "Did you mean 'checkerboard'?"});
  expect_error<ConfigError>([] { open_data({.name = "digit"}); }, {"Did you mean 'digits'?"});
  expect_error<ConfigError>([] { open_data({.name = "zzzzzzzzzz"}); },
                            {"'contraflow list data' shows them all", ".csv or .npy"});
  options(sample_csv(), "events.csv");
  expect_error<IoError>([&] { open_data({.name = (folder_ / "event.csv").string()}); },
                        {"does not exist", "Did you mean '", "/events.csv'?"});
  expect_error<IoError>([] { open_data({.name = "no_such_folder/x.csv"}); }, {"does not exist"});
  expect_error<ConfigError>([&] { open_data(options("1\n2\n", "data.xlsx")); }, {"'.xlsx'"});
}

TEST(Dataset, ContradictingOptions) {
  expect_error<ConfigError>([] { open_data({.name = "moons", .columns = {"y"}}); }, {"'y'"});
  expect_error<ConfigError>([] { open_data({.name = "moons", .columns = {"label"}}); },
                            {"columns", "'label', a class", "label = 'label'"});
  expect_error<ConfigError>([] { open_data({.name = "moons", .label = "x0"}); },
                            {"label", "expected 'label'", "'x0'"});
  expect_error<ConfigError>([] { open_data({.name = "swissroll", .label = "label"}); },
                            {"several parts", "'swissroll'"});
  expect_error<ConfigError>([] { open_data({.name = "digits", .columns = {"label"}}); },
                            {"'label', a class"});
  expect_error<ConfigError>([] { open_data({.name = "moons", .levels = 5}); }, {"toy density"});
  expect_error<ConfigError>([] { open_data({.name = "digits", .levels = 16}); }, {"17", "16"});
  expect_error<ConfigError>([] { open_data({.name = "digits", .weight = "label"}); }, {"digits"});
  expect_error<ConfigError>(
      [] {
        open_data({.name = "x.csv", .bounds = {1.0, 0.0}});
      },
      {"low < high"});
  expect_error<ConfigError>([] { open_data({.name = "x.csv", .bounds = {1.0}}); }, {"low < high"});
  expect_error<ConfigError>(
      [] {
        open_data({.name = "x.csv", .levels = 4, .bounds = {0.0, 1.0}});
      },
      {"both"});
  expect_error<ConfigError>([] { open_data({.name = "moons", .test_fraction = 1.0}); },
                            {"test_fraction"});
  expect_error<ConfigError>([] { open_data({.name = "moons", .test_rows = -1}); }, {"test_rows"});
}

TEST(Dataset, OptionsGoThroughJson) {
  DataOptions o;
  o.name = "events.csv";
  o.columns = {"a", "1"};
  o.delimiter = CsvDelimiter::kSemicolon;
  o.test_rows = 12;
  o.bounds = {0.0, 1.0};
  const auto json = options_to_json(o);
  EXPECT_EQ(json["delimiter"], "semicolon");
  EXPECT_EQ(options_to_json(options_from_json<DataOptions>(json, "data")), json);
}

}  // namespace
}  // namespace contraflow::data
