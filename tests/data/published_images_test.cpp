// The published files, where they are at hand. Labels and sums of pixels are from Python's gzip, struct and
// zlib alone: no numbers of ours, and no image library.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "contraflow/data/dataset.h"
#include "contraflow/data/images/cifar.h"
#include "contraflow/data/images/idx_images.h"
#include "contraflow/data/images/png_folder.h"
#include "tests/data/expect_error.h"
#include "tests/data/image_files.h"
#include "tests/support/shared_data.h"

namespace contraflow::data::images {
namespace {

using namespace contraflow::testing;
using ::testing::ElementsAre;

int64_t sum_of(const at::Tensor& values) { return values.sum(at::kLong).item<int64_t>(); }

at::Tensor first_labels(const ImageSet& set) { return set.labels.at(0).classes.narrow(0, 0, 10); }

TEST(PublishedImages, Mnist) {
  CONTRAFLOW_NEEDS_SHARED_DATA("mnist");
  const ImageData data = read_idx_images(shared_data("mnist"));
  EXPECT_EQ(data.train.pixels.sizes(), at::IntArrayRef({60'000, 1, 28, 28}));
  EXPECT_EQ(data.test->pixels.sizes(), at::IntArrayRef({10'000, 1, 28, 28}));
  EXPECT_EQ(sum_of(data.train.pixels), 1'567'298'545);
  EXPECT_EQ(sum_of(data.test->pixels), 264'923'200);
  EXPECT_EQ(sum_of(data.train.pixels[0]), 27'525);
  EXPECT_EQ(sum_of(data.train.pixels[0].flatten().to(at::kLong) * at::arange(784)), 11'192'964);
  EXPECT_EQ(sum_of(data.train.pixels[59'999]), 20'920);
  EXPECT_TRUE(
      first_labels(data.train).equal(at::tensor({5, 0, 4, 1, 9, 2, 1, 3, 1, 4}, at::kLong)));
  EXPECT_TRUE(
      first_labels(*data.test).equal(at::tensor({7, 2, 1, 0, 4, 1, 4, 9, 5, 9}, at::kLong)));
  EXPECT_EQ(sum_of(data.train.labels[0].classes), 267'236);
  EXPECT_EQ(sum_of(data.test->labels[0].classes), 44'434);
}

TEST(PublishedImages, MnistAsData) {
  CONTRAFLOW_NEEDS_SHARED_DATA("mnist");
  const Dataset data = open_data({.name = shared_data("mnist").string(), .label = "label"});
  EXPECT_EQ(data.splits.train->size(), 54'000);
  EXPECT_EQ(data.splits.validation->size(), 6'000);
  ASSERT_NE(data.splits.test, nullptr);
  EXPECT_EQ(data.splits.test->size(), 10'000);
  EXPECT_EQ(data.columns.classes, 10);
  EXPECT_THAT(data.columns.event_shape, ElementsAre(1, 28, 28));
  EXPECT_EQ(sum_of(data.splits.test->rows(0, 10'000).x.to(at::kLong)), 264'923'200);
  const Batch batch = data.splits.train->batch(0, 100);
  EXPECT_EQ(batch.x.sizes(), at::IntArrayRef({100, 1, 28, 28}));
  EXPECT_EQ(batch.condition.sizes(), at::IntArrayRef({100, 10}));
}

TEST(PublishedImages, Cifar) {
  CONTRAFLOW_NEEDS_SHARED_DATA("cifar10-jpeg");
  const ImageData data = read_cifar(shared_data("cifar10-jpeg"));
  EXPECT_EQ(data.train.pixels.sizes(), at::IntArrayRef({4'000, 3, 32, 32}));
  EXPECT_EQ(data.test->pixels.sizes(), at::IntArrayRef({1'000, 3, 32, 32}));
  EXPECT_TRUE(
      first_labels(data.train).equal(at::tensor({5, 7, 3, 1, 3, 4, 7, 7, 7, 7}, at::kLong)));
  const auto planes = [](const at::Tensor& pixels) {
    return at::stack({pixels.select(1, 0).sum(at::kLong), pixels.select(1, 1).sum(at::kLong),
                      pixels.select(1, 2).sum(at::kLong)});
  };
  EXPECT_TRUE(planes(data.train.pixels.narrow(0, 0, 1))
                  .equal(at::tensor({132'810, 122'925, 99'412}, at::kLong)));
  EXPECT_TRUE(planes(data.train.pixels)
                  .equal(at::tensor({513'584'362, 504'944'456, 467'587'149}, at::kLong)));
  EXPECT_TRUE(planes(data.test->pixels)
                  .equal(at::tensor({129'017'588, 127'575'524, 118'751'218}, at::kLong)));
  EXPECT_EQ(sum_of(data.test->labels[0].classes), 4'500);
}

// Photographs lie or stand: of the 100 test images 77 are 481 wide and 321 high.
TEST(PublishedImages, PhotographsOfTwoSizesAreNoSet) {
  CONTRAFLOW_NEEDS_SHARED_DATA("bsds300");
  expect_error<IoError>([] { read_png_folder(shared_data("bsds300")); },
                        {"bsds300", "321 x 481 grey", "481 x 321 grey"});
  const TempFolder lying;
  for (const auto& entry : std::filesystem::directory_iterator(shared_data("bsds300/test"))) {
    const std::string bytes = read_bytes(entry.path());
    if (bytes.substr(16, 4) == big_endian(481)) {
      write_bytes(lying / entry.path().filename().string(), bytes);
    }
  }
  const ImageData data = read_png_folder(lying.path());
  EXPECT_EQ(data.train.pixels.sizes(), at::IntArrayRef({77, 1, 321, 481}));
  EXPECT_EQ(sum_of(data.train.pixels), 1'297'972'741);
  EXPECT_EQ(sum_of(data.train.pixels[0]), 18'261'421);
  EXPECT_EQ(sum_of(data.train.pixels[1]), 17'750'624);
  EXPECT_EQ(sum_of(data.train.pixels[0][0][0].narrow(0, 0, 8)),
            138 + 144 + 141 + 138 + 138 + 141 + 140 + 130);
}

}  // namespace
}  // namespace contraflow::data::images
