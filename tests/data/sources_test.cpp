#include "contraflow/data/sources.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "contraflow/core/error.h"
#include "tests/data/expect_error.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using ::testing::ElementsAre;

// Row r of x, condition and weight all hold r, so that a test sees which rows travel together.
TensorSource numbered(int64_t rows, uint64_t seed = 1) {
  const at::Tensor r = at::arange(rows, at::kDouble);
  return {"numbered", r.unsqueeze(1).expand({rows, 3}).contiguous(), r.unsqueeze(1), r, Rng(seed)};
}

at::Tensor sorted(const at::Tensor& x) { return std::get<0>(x.flatten().sort()); }

TEST(ToySource, ColumnsMayBeGiven) {
  const Columns layout{.names = {"x1"}, .condition = {"x0"}, .label = "label", .classes = 2};
  const ToySource source("moons", Rng(3), at::kFloat, layout);
  const at::Tensor rows = sample_toy_rows(toy_density("moons"), Rng(3), 100, at::kFloat);
  EXPECT_EQ(source.event_shape(), std::vector<int64_t>{1});
  for (const Batch& batch : {source.rows(40, 100), source.batch(2, 20)}) {
    const at::Tensor expected = rows.narrow(0, 40, batch.x.size(0));
    EXPECT_EQ(batch.first_row, 40);
    EXPECT_TRUE(batch.x.select(1, 0).equal(expected.select(1, 1)));
    EXPECT_TRUE(batch.condition.select(1, 0).equal(expected.select(1, 0)));
    EXPECT_TRUE(
        batch.condition.narrow(1, 1, 2).argmax(1).equal(expected.select(1, 2).to(at::kLong)));
  }
  expect_error<ConfigError>(
      [] { ToySource("swissroll", Rng(3), at::kFloat, {.names = {"x0"}, .label = "label"}); },
      {"'label'"});
}

TEST(ToySource, BatchesAreRowsOfOneStream) {
  const ToySource source("moons", Rng(3), at::kFloat);
  EXPECT_EQ(source.size(), std::nullopt);
  EXPECT_THAT(source.event_shape(), ElementsAre(2));
  EXPECT_EQ(source.name(), "moons");
  const Batch third = source.batch(2, 100);
  EXPECT_EQ(third.first_row, 200);
  EXPECT_EQ(third.x.scalar_type(), at::kFloat);
  EXPECT_FALSE(third.condition.defined());
  EXPECT_FALSE(third.weight.defined());
  EXPECT_TRUE(third.x.equal(source.rows(0, 300).x.narrow(0, 200, 100)));
  EXPECT_TRUE(third.x.equal(at::cat({source.batch(4, 50).x, source.batch(5, 50).x})))
      << "independent of the batch size";
  EXPECT_FALSE(third.x.equal(source.batch(3, 100).x));
  EXPECT_FALSE(third.x.equal(ToySource("moons", Rng(4), at::kFloat).batch(2, 100).x));
}

TEST(TensorSource, EveryEpochIsAPermutation) {
  const TensorSource source = numbered(12);
  std::vector<at::Tensor> epochs;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<at::Tensor> seen;
    for (int64_t step = 0; step < 3; ++step) {
      const Batch batch = source.batch(3 * epoch + step, 4);
      EXPECT_EQ(batch.first_row, (3 * epoch + step) * 4);
      EXPECT_TRUE(batch.condition.squeeze(1).equal(batch.weight)) << "rows travel together";
      EXPECT_TRUE(batch.x.select(1, 2).equal(batch.weight));
      seen.push_back(batch.weight);
    }
    epochs.push_back(at::cat(seen));
    EXPECT_TRUE(sorted(epochs.back()).equal(at::arange(12, at::kDouble)));
  }
  EXPECT_FALSE(epochs[0].equal(epochs[1]));
  EXPECT_FALSE(epochs[1].equal(epochs[2]));
}

TEST(TensorSource, LastShortBatchOfAnEpochIsDropped) {
  const TensorSource source = numbered(10);
  const at::Tensor first = at::cat({source.batch(0, 4).weight, source.batch(1, 4).weight});
  EXPECT_EQ(std::get<0>(at::_unique(first)).size(0), 8) << "no row twice in an epoch";
  EXPECT_EQ(source.batch(2, 4).x.size(0), 4) << "the next epoch";
}

TEST(TensorSource, SmallSetIsOneBatch) {
  const TensorSource source = numbered(5);
  const Batch a = source.batch(0, 100);
  const Batch b = source.batch(1, 100);
  EXPECT_TRUE(sorted(a.weight).equal(at::arange(5, at::kDouble)));
  EXPECT_FALSE(a.weight.equal(b.weight));
  EXPECT_EQ(b.first_row, 100);
}

TEST(TensorSource, BatchIsAPureFunctionOfTheStep) {
  const TensorSource forward = numbered(100);
  const TensorSource backward = numbered(100);
  std::vector<at::Tensor> batches;
  for (int64_t step = 0; step < 40; ++step) batches.push_back(forward.batch(step, 7).x);
  for (int64_t step = 39; step >= 0; --step) {
    EXPECT_TRUE(backward.batch(step, 7).x.equal(batches[static_cast<size_t>(step)])) << step;
  }
  EXPECT_FALSE(numbered(100, 2).batch(0, 7).x.equal(batches[0]));
}

TEST(TensorSource, ThreadsMayAskForDifferentEpochs) {
  const TensorSource source = numbered(1000);
  const auto sum = [&](int64_t offset) {
    double total = 0.0;
    for (int64_t step = 0; step < 50; ++step) {
      total += source.batch((step * 37 + offset) % 200, 100)
                   .x.select(1, 0)
                   .mul(step + 1)
                   .sum()
                   .item<double>();
    }
    return total;
  };
  const double expected_a = sum(0);
  const double expected_b = sum(5);
  double a = 0.0;
  double b = 0.0;
  std::thread thread([&] { a = sum(0); });
  b = sum(5);
  thread.join();
  EXPECT_EQ(a, expected_a);
  EXPECT_EQ(b, expected_b);
}

TEST(TensorSource, RowsComeInOrder) {
  const TensorSource source = numbered(10);
  const Batch batch = source.rows(3, 6);
  EXPECT_TRUE(batch.weight.equal(at::tensor({3., 4., 5.}, at::kDouble)));
  EXPECT_EQ(batch.first_row, 3);
  EXPECT_EQ(source.rows(4, 4).x.size(0), 0);
  EXPECT_EQ(source.size(), 10);
  EXPECT_THAT(source.event_shape(), ElementsAre(3));
}

TEST(TensorSource, EventsMayHaveSeveralDimensions) {
  const TensorSource source("images", at::ones({6, 1, 4, 4}), {}, {}, Rng(1));
  EXPECT_THAT(source.event_shape(), ElementsAre(1, 4, 4));
  EXPECT_EQ(source.batch(0, 2).x.sizes(), at::IntArrayRef({2, 1, 4, 4}));
  EXPECT_FALSE(source.batch(0, 2).condition.defined());
}

TEST(TensorSource, PixelsStayBytesAndAreConvertedInBatches) {
  const at::Tensor pixels = at::arange(240).remainder(256).to(at::kByte).reshape({10, 1, 4, 6});
  const TensorSource bytes("images", pixels, {}, {}, Rng(1));
  const TensorSource wide("images", pixels.to(at::kDouble), {}, {}, Rng(1), at::kFloat);
  EXPECT_EQ(bytes.batch(0, 4).x.scalar_type(), at::kFloat);
  for (int64_t step = 0; step < 5; ++step) {
    EXPECT_TRUE(bytes.batch(step, 4).x.equal(wide.batch(step, 4).x)) << step;
  }
  EXPECT_TRUE(bytes.rows(2, 9).x.equal(pixels.narrow(0, 2, 7).to(at::kFloat)));
  const TensorSource doubles("images", pixels, {}, {}, Rng(1), at::kDouble);
  EXPECT_EQ(doubles.rows(0, 1).x.scalar_type(), at::kDouble);
  expect_error<DtypeError>([&] { TensorSource("t", pixels, {}, {}, Rng(1), at::kByte); },
                           {"dtype"});
  expect_error<DtypeError>(
      [&] {
        TensorSource("t", pixels, at::ones({10, 2}, at::kDouble), {}, Rng(1));
      },
      {"condition"});
}

TEST(Sources, PartsOfABatchAreItsRows) {
  const TensorSource tensor = numbered(23);
  const ToySource toy("moons", Rng(3), at::kDouble);
  for (const Source* source :
       {static_cast<const Source*>(&tensor), static_cast<const Source*>(&toy)}) {
    for (const int64_t step : {0, 1, 7}) {
      const Batch whole = source->batch(step, 10);
      const Batch part = source->batch(step, 10, 3, 8);
      EXPECT_TRUE(part.x.equal(whole.x.narrow(0, 3, 5))) << source->name();
      EXPECT_EQ(part.first_row, step * 10 + 3);
      if (!whole.weight.defined()) continue;
      EXPECT_TRUE(part.weight.equal(whole.weight.narrow(0, 3, 5)));
      EXPECT_TRUE(part.condition.equal(whole.condition.narrow(0, 3, 5)));
    }
    EXPECT_EQ(source->batch(0, 10, 4, 4).x.size(0), 0);
    expect_error<ShapeError>([&] { source->batch(0, 10, 5, 11); }, {"<= 10", "5 .. 11"});
  }
  EXPECT_EQ(tensor.batch_rows(100), 23);
  EXPECT_EQ(toy.batch_rows(100), 100);
  expect_error<ShapeError>([&] { tensor.batch(0, 100, 0, 24); }, {"<= 23"});
}

TEST(Sources, ErrorsNameWhatIsWrong) {
  const TensorSource source = numbered(10);
  expect_error<ShapeError>([&] { source.batch(0, 0); }, {"batch_size", "got 0"});
  expect_error<ShapeError>([&] { source.batch(-1, 4); }, {"step", "-1"});
  expect_error<ShapeError>([&] { source.rows(5, 11); }, {"<= 10", "5 .. 11"});
  expect_error<ShapeError>([&] { source.rows(6, 5); }, {"6 .. 5"});
  const ToySource toy("moons", Rng(1), at::kFloat);
  expect_error<ShapeError>([&] { toy.rows(-1, 5); }, {"-1 .. 5"});
  expect_error<ShapeError>([&] { toy.batch(0, -5); }, {"batch_size"});
  expect_error<ConfigError>([] { ToySource("moon", Rng(1), at::kFloat); }, {"'moons'"});
}

TEST(Sources, TensorsThatDoNotFitTogether) {
  const at::Tensor x = at::ones({4, 2});
  const auto make = [](const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
    return [=] { TensorSource("t", a, b, c, Rng(1)); };
  };
  expect_error<ShapeError>(make({}, {}, {}), {"x", "no tensor"});
  expect_error<ShapeError>(make(at::ones({4}), {}, {}), {"x.unsqueeze(1)"});
  expect_error<ShapeError>(make(at::ones({0, 2}), {}, {}), {"N >= 1"});
  expect_error<ShapeError>(make(x, at::ones({3, 1}), {}), {"condition", "[4, C]", "[3, 1]"});
  expect_error<ShapeError>(make(x, {}, at::ones({4, 1})), {"weight", "[4]"});
  expect_error<DtypeError>(make(x.to(at::kLong), {}, {}), {"x"});
  expect_error<DtypeError>(make(x, {}, at::ones({4}, at::kDouble)), {"weight"});
  expect_error<DomainError>(make(x, {}, at::zeros({4})), {"weight", "above 0", "4 zeros"});
  expect_error<DomainError>(make(x, {}, at::tensor({1.F, -2.F, 1.F, 1.F})), {"row 1", "-2"});
}

}  // namespace
}  // namespace contraflow::data
