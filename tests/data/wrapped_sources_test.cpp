// Sources made of another source: shards and augmentations. prefetch_test.cpp has the third kind.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "contraflow/data/augment.h"
#include "contraflow/data/shard.h"
#include "contraflow/data/sources.h"
#include "tests/data/expect_error.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;

SourcePtr counted(int64_t rows) {
  const at::Tensor r = at::arange(rows, at::kDouble);
  return std::make_shared<TensorSource>("counted", r.unsqueeze(1), r.unsqueeze(1), r, Rng(1));
}

SourcePtr toy_stream() { return std::make_shared<ToySource>("moons", Rng(2), at::kDouble); }

TEST(Shard, RanksTogetherHaveTheWholeBatch) {
  for (const SourcePtr& source : {counted(23), toy_stream()}) {
    for (const int64_t ranks : {1, 3, 4}) {
      for (const int64_t batch_size : {10, 2, 40}) {
        const Batch whole = source->batch(5, batch_size);
        std::vector<at::Tensor> parts;
        int64_t next = whole.first_row;
        for (int64_t rank = 0; rank < ranks; ++rank) {
          const Batch part = shard(source, rank, ranks)->batch(5, batch_size);
          EXPECT_EQ(part.first_row, next) << "draws are by global row";
          next += part.x.size(0);
          parts.push_back(part.x);
        }
        EXPECT_TRUE(at::cat(parts).equal(whole.x)) << ranks << " " << batch_size;
      }
    }
  }
}

TEST(Shard, RowsAreThoseOfTheWhole) {
  const SourcePtr source = counted(23), part = shard(source, 1, 2);
  EXPECT_EQ(part->size(), 23);
  EXPECT_TRUE(part->rows(3, 20).x.equal(source->rows(3, 20).x));
  EXPECT_EQ(part->event_shape(), source->event_shape());
  EXPECT_EQ(part->name(), "counted");
}

TEST(Shard, MayBeCutAgain) {
  const SourcePtr source = counted(23);
  const Batch inner = shard(shard(source, 1, 2), 1, 2)->batch(0, 20);
  EXPECT_EQ(inner.first_row, 15);
  EXPECT_TRUE(inner.x.equal(source->batch(0, 20, 15, 20).x));
}

TEST(Shard, RanksThatDoNotExist) {
  expect_error<ConfigError>([] { shard(counted(5), 2, 2); }, {"2 of 2"});
  expect_error<ConfigError>([] { shard(counted(5), -1, 2); }, {"-1 of 2"});
  expect_error<ConfigError>([] { shard(counted(5), 0, 0); }, {"0 of 0"});
}

Batch add_noise(Batch batch, const Rng& rng) {
  batch.x = batch.x + rng.uniform(batch.x.sizes(), batch.x.options());
  return batch;
}

TEST(Augment, RowsDrawByTheirNumbers) {
  const SourcePtr source = counted(23), noisy = augment(source, add_noise, Rng(7));
  const Batch whole = noisy->batch(4, 10);
  const at::Tensor noise = whole.x - source->batch(4, 10).x;
  EXPECT_GT(noise.min().item<double>(), 0.0);
  EXPECT_TRUE(noisy->batch(4, 10).x.equal(whole.x)) << "the same bits again";
  EXPECT_TRUE(noisy->batch(4, 10, 3, 8).x.equal(whole.x.narrow(0, 3, 5)));
  EXPECT_TRUE(shard(noisy, 1, 2)->batch(4, 10).x.equal(whole.x.narrow(0, 5, 5)));
  EXPECT_TRUE(augment(shard(source, 1, 2), add_noise, Rng(7))
                  ->batch(4, 10)
                  .x.equal(whole.x.narrow(0, 5, 5)));
  EXPECT_EQ(whole.first_row, 40);
  EXPECT_TRUE(whole.weight.equal(source->batch(4, 10).weight));
  const at::Tensor later = noisy->batch(5, 10).x - source->batch(5, 10).x;
  EXPECT_FALSE(later.equal(noise)) << "each step draws anew";
  EXPECT_FALSE(augment(source, add_noise, Rng(8))->batch(4, 10).x.equal(whole.x));
}

TEST(Augment, RowsThatAreNotTrainedOnStay) {
  const SourcePtr source = counted(23), noisy = augment(source, add_noise, Rng(7));
  EXPECT_TRUE(noisy->rows(0, 23).x.equal(source->rows(0, 23).x));
  EXPECT_EQ(noisy->size(), 23);
}

TEST(Augment, OtherShapesAreRefused) {
  const auto drop = [](Batch batch, const Rng&) {
    batch.x = batch.x.narrow(0, 0, 1);
    return batch;
  };
  expect_error<ShapeError>([&] { augment(counted(5), drop, Rng(1))->batch(0, 4); },
                           {"counted", "[4, 1]", "[1, 1]"});
  const auto lose = [](Batch, const Rng&) { return Batch{}; };
  expect_error<ShapeError>([&] { augment(counted(5), lose, Rng(1))->batch(0, 4); }, {"no tensor"});
}

}  // namespace
}  // namespace contraflow::data
