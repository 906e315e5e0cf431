// Flips, crops and fewer bits of training images.
#include "contraflow/data/images/image_changes.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "contraflow/data/dataset.h"
#include "contraflow/data/images/image_dataset.h"
#include "tests/data/expect_error.h"
#include "tests/data/image_files.h"

namespace contraflow::data::images {
namespace {

using namespace contraflow::testing;
using ::testing::Contains;
using ::testing::HasSubstr;

Batch batch_of(const at::Tensor& x) { return {.x = x}; }

/// The same image many times, whose pixels all differ.
at::Tensor copies(int64_t count, int64_t side) {
  return at::arange(2 * side * side, at::kFloat).view({1, 2, side, side}).repeat({count, 1, 1, 1});
}

// The plain definition, with the padding written out.
at::Tensor cut_from_padded(const at::Tensor& image, int64_t padding, int64_t dy, int64_t dx) {
  const at::Tensor padded =
      at::reflection_pad2d(image.unsqueeze(0), {padding, padding, padding, padding})[0];
  return padded.narrow(1, dy, image.size(1)).narrow(2, dx, image.size(2));
}

TEST(ImageChanges, HalfOfTheImagesAreFlipped) {
  constexpr int64_t kCount = 4000;
  const at::Tensor x = copies(kCount, 4);
  const at::Tensor y = image_changes({.flip = true})(batch_of(x), Rng(3)).x;
  const at::Tensor kept = y.eq(x).flatten(1).all(1), flipped = y.eq(x.flip(3)).flatten(1).all(1);
  EXPECT_TRUE(kept.logical_xor(flipped).all().item<bool>());
  EXPECT_NEAR(flipped.sum().item<double>(), kCount / 2.0, 5.0 * std::sqrt(kCount / 4.0));
}

TEST(ImageChanges, CropsAreWindowsOfTheMirroredImageAllAsOften) {
  constexpr int64_t kCount = 5000, kPadding = 2, kPlaces = 2 * kPadding + 1;
  const at::Tensor x = copies(kCount, 5);
  const at::Tensor y = image_changes({.crop_padding = kPadding})(batch_of(x), Rng(4)).x;
  int64_t found = 0;
  for (int64_t dy = 0; dy < kPlaces; ++dy) {
    for (int64_t dx = 0; dx < kPlaces; ++dx) {
      const at::Tensor window = cut_from_padded(x[0], kPadding, dy, dx);
      const auto here = y.eq(window).flatten(1).all(1).sum().item<int64_t>();
      const double expected = static_cast<double>(kCount) / (kPlaces * kPlaces);
      EXPECT_NEAR(static_cast<double>(here), expected, 5.0 * std::sqrt(expected))
          << dy << ", " << dx;
      found += here;
    }
  }
  EXPECT_EQ(found, kCount);
}

TEST(ImageChanges, AnImageDrawsByItsNumber) {
  const at::Tensor x = copies(40, 6);
  const Augmentation change = image_changes({.flip = true, .crop_padding = 3});
  const at::Tensor whole = change(batch_of(x), Rng(5)).x;
  const at::Tensor part = change(batch_of(x.narrow(0, 0, 15)), Rng(5).rows_from(25)).x;
  EXPECT_TRUE(at::equal(whole.narrow(0, 25, 15), part));
  EXPECT_FALSE(at::equal(whole, change(batch_of(x), Rng(6)).x));
}

class ChangedImages : public ::testing::Test {
 protected:
  ChangedImages() { data_.train.pixels = some_pixels({200, 3, 4, 6}); }
  Dataset open(const DataOptions& options) const {
    return image_dataset(data_, options, at::kFloat, nullptr);
  }
  ImageData data_;
};

TEST_F(ChangedImages, OnlyTrainingBatchesChange) {
  const Dataset plain = open({.name = "x"});
  const Dataset changed = open({.name = "x", .flip = true, .crop_padding = 2});
  EXPECT_THAT(changed.notes,
              Contains(HasSubstr("flipped in half of the steps and moved by up to 2")));
  for (const auto part : {&Splits::train, &Splits::validation, &Splits::test}) {
    const auto &a = *(plain.splits.*part), &b = *(changed.splits.*part);
    EXPECT_TRUE(at::equal(a.rows(0, *a.size()).x, b.rows(0, *b.size()).x));
  }
  const at::Tensor before = plain.splits.train->batch(3, 16).x;
  const at::Tensor after = changed.splits.train->batch(3, 16).x;
  EXPECT_GT(before.ne(after).flatten(1).any(1).sum().item<int64_t>(), 8);
  EXPECT_TRUE(at::equal(after, changed.splits.train->batch(3, 16).x));
  EXPECT_TRUE(at::equal(after.narrow(0, 4, 7), changed.splits.train->batch(3, 16, 4, 11).x));
  EXPECT_FALSE(
      at::equal(changed.splits.train->batch(0, 16).x, changed.splits.train->batch(12, 16).x));
  EXPECT_EQ(plain.identity->checksum, changed.identity->checksum);
}

TEST_F(ChangedImages, BitsAreTheHighestOnes) {
  for (const int64_t bits : {1, 5, 8}) {
    const Dataset all = open({.name = "x"}), few = open({.name = "x", .bits = bits});
    const auto levels = int64_t{1} << bits;
    EXPECT_EQ(few.columns.levels, levels);
    const at::Tensor x = all.splits.train->rows(0, 100).x, y = few.splits.train->rows(0, 100).x;
    EXPECT_TRUE(at::equal(y, (x * static_cast<double>(levels) / 256.0).floor()));
    EXPECT_EQ(few.splits.test->rows(0, 5).x.max().item<float>() < static_cast<float>(levels), true);
  }
  EXPECT_EQ(open({.name = "x", .bits = 5}).columns.event_info().levels, 32);
}

TEST_F(ChangedImages, WhatDoesNotFitIsRefused) {
  expect_error<ConfigError>([&] { open({.name = "x", .flatten = true, .flip = true}); },
                            {"flip", "data.flatten"});
  expect_error<ConfigError>([&] { open({.name = "x", .flatten = true, .crop_padding = 1}); },
                            {"crop_padding", "data.flatten"});
  expect_error<ConfigError>([&] { open({.name = "x", .crop_padding = 4}); },
                            {"crop_padding", "at most 3"});
  data_.levels = 17;
  expect_error<ConfigError>([&] { open({.name = "x", .bits = 5}); }, {"bits", "17 levels"});
  expect_error<ConfigError>([] { open_data({.name = "moons", .flip = true}); }, {"flip", "moons"});
  expect_error<ConfigError>([] { open_data({.name = "digits", .crop_padding = 2}); },
                            {"crop_padding", "digits"});
  const TempFolder folder;
  write_bytes(folder / "a.npy", make_npy_header("<f4", {4, 2}) + std::string(32, '\0'));
  expect_error<ConfigError>([&] { open_data({.name = (folder / "a.npy").string(), .bits = 5}); },
                            {"bits", "the array"});
}

}  // namespace
}  // namespace contraflow::data::images
