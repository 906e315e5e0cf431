// What becomes of images once they are read: parts, labels, identity, batches.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "contraflow/core/error.h"
#include "contraflow/data/dataset.h"
#include "contraflow/data/digits.h"
#include "contraflow/data/images/image_dataset.h"
#include "contraflow/data/images/image_source.h"
#include "contraflow/data/prefetch.h"
#include "contraflow/data/row_hash.h"
#include "contraflow/data/shard.h"
#include "tests/data/expect_error.h"
#include "tests/data/image_files.h"

namespace contraflow::data::images {
namespace {

using namespace contraflow::testing;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Images whose first pixel is their number.
ImageData numbered_images(int64_t count) {
  ImageData out;
  out.train.pixels = some_pixels({count, 3, 2, 4});
  out.train.pixels.flatten(1).select(1, 0).copy_(at::arange(count));
  out.train.labels.push_back({kLabelName, at::arange(count).remainder(5)});
  return out;
}

at::Tensor numbers_in(const SourcePtr& source) {
  if (source == nullptr) return at::empty({0}, at::kLong);
  return source->rows(0, *source->size()).x.flatten(1).select(1, 0).to(at::kLong);
}

at::Tensor numbers_in_all(const Splits& splits) {
  return std::get<0>(
      at::cat({numbers_in(splits.train), numbers_in(splits.validation), numbers_in(splits.test)})
          .sort());
}

ImageRows rows_of_images(const ImageData& data, at::ScalarType dtype = at::kFloat) {
  return {data.train.pixels, {3, 2, 4}, data.train.labels[0].classes, 5, dtype};
}

TEST(ImageSource, BatchesAreTheBytesInTheDtypeAskedFor) {
  const ImageData data = numbered_images(20);
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const ImageSource source("train", rows_of_images(data, dtype), at::arange(20), Rng(1));
    const Batch all = source.rows(0, 20);
    EXPECT_EQ(all.x.scalar_type(), dtype);
    EXPECT_EQ(all.condition.scalar_type(), dtype);
    EXPECT_TRUE(all.x.equal(data.train.pixels.to(dtype)));
    EXPECT_TRUE(all.condition.argmax(1).equal(data.train.labels[0].classes));
    EXPECT_TRUE(all.condition.sum(1).eq(1).all().item<bool>());
    EXPECT_FALSE(all.weight.defined());
  }
  EXPECT_EQ(data.train.pixels.scalar_type(), at::kByte);
}

// The order is that of rows in memory, so that a config draws the same rows from both.
TEST(ImageSource, DrawsAsATensorSourceDoes) {
  const ImageData data = numbered_images(23);
  const at::Tensor some = at::tensor({5, 3, 22, 0, 7, 11, 2}, at::kLong);
  const ImageSource source("train", rows_of_images(data), some, Rng(4));
  const TensorSource other("train", data.train.pixels.index_select(0, some), {}, {}, Rng(4));
  for (const int64_t step : {0, 1, 2, 5, 100}) {
    const Batch batch = source.batch(step, 3);
    EXPECT_TRUE(batch.x.equal(other.batch(step, 3).x)) << step;
    EXPECT_EQ(batch.first_row, 3 * step);
  }
  EXPECT_EQ(source.batch_rows(100), 7);
}

TEST(ImageSource, RangesOfRowsAreThoseOfTheWhole) {
  const ImageData data = numbered_images(20);
  const auto source =
      std::make_shared<ImageSource>("train", rows_of_images(data), at::arange(20), Rng(1));
  const Batch whole = source->batch(3, 8);
  for (int64_t begin = 0; begin < 8; ++begin) {
    const Batch part = source->batch(3, 8, begin, 8);
    EXPECT_TRUE(part.x.equal(whole.x.narrow(0, begin, 8 - begin)));
    EXPECT_TRUE(part.condition.equal(whole.condition.narrow(0, begin, 8 - begin)));
    EXPECT_EQ(part.first_row, 24 + begin);
  }
  EXPECT_TRUE(source->rows(4, 9).x.equal(source->rows(0, 20).x.narrow(0, 4, 5)));
  EXPECT_TRUE(shard(source, 1, 2)->batch(3, 8).x.equal(whole.x.narrow(0, 4, 4)));
}

TEST(ImageSource, WhatIsReadAheadIsTheSame) {
  const ImageData data = numbered_images(20);
  const auto source =
      std::make_shared<ImageSource>("train", rows_of_images(data), at::arange(20), Rng(1));
  const SourcePtr ahead = prefetch(source, 3);
  for (const int64_t step : {0, 1, 2, 3, 9, 10, 4}) {
    EXPECT_TRUE(ahead->batch(step, 6).x.equal(source->batch(step, 6).x)) << step;
    EXPECT_TRUE(ahead->batch(step, 6).condition.equal(source->batch(step, 6).condition));
  }
}

TEST(ImageDataset, PartsAreDisjointAndComplete) {
  const ImageData data = numbered_images(200);
  const DataOptions options{.name = "x", .test_fraction = 0.25, .validation_rows = 30};
  const Dataset found = image_dataset(data, options, at::kFloat, nullptr);
  EXPECT_EQ(found.splits.train->size(), 120);
  EXPECT_EQ(found.splits.validation->size(), 30);
  EXPECT_EQ(found.splits.test->size(), 50);
  EXPECT_TRUE(numbers_in_all(found.splits).equal(at::arange(200)));
  EXPECT_THAT(found.columns.event_shape, ElementsAre(3, 2, 4));
  EXPECT_THAT(found.columns.image, ElementsAre(3, 2, 4));
  EXPECT_TRUE(found.columns.names.empty());
  EXPECT_EQ(found.columns.levels, 256);
  EXPECT_EQ(found.columns.condition_size(), 0);
  EXPECT_FALSE(found.splits.train->batch(0, 4).condition.defined());
}

TEST(ImageDataset, AnImageFallsByItsPixelsWhereverItStands) {
  const ImageData data = numbered_images(100);
  ImageData turned = data;
  turned.train.pixels = data.train.pixels.flip(0);
  turned.train.labels[0].classes = data.train.labels[0].classes.flip(0);
  const auto part = [](const ImageData& images, int64_t seed) {
    const DataOptions options{.name = "x", .seed = seed};
    const Splits splits = image_dataset(images, options, at::kFloat, nullptr).splits;
    return std::get<0>(numbers_in(splits.test).sort());
  };
  EXPECT_TRUE(part(data, 1).equal(part(turned, 1)));
  EXPECT_FALSE(part(data, 1).equal(part(data, 2)));
}

// Rows of 19 bytes: two whole words and a part of one.
TEST(ByteRows, EveryByteAndTheSeedCountInAHash) {
  const at::Tensor rows =
      at::cat({at::zeros({1, 19}), at::eye(19), at::zeros({1, 19})}).to(at::kByte);
  std::vector<uint64_t> hashes = hash_byte_rows(rows, 0);
  EXPECT_EQ(hashes.front(), hashes.back());
  const std::vector<uint64_t> others = hash_byte_rows(rows, 1);
  hashes.insert(hashes.end(), others.begin(), others.end());
  EXPECT_EQ(std::set<uint64_t>(hashes.begin(), hashes.end()).size(), 40U);
  std::vector<uint64_t> mixed = others;
  mix_in(mixed, at::arange(21));
  EXPECT_NE(mixed.front(), mixed.back());
}

TEST(ImageDataset, CopiesFallIntoOnePart) {
  ImageData data = numbered_images(100);
  data.train.pixels = data.train.pixels.repeat({2, 1, 1, 1});
  data.train.labels[0].classes = at::arange(200).remainder(3);  // copies with other labels too
  const Dataset found = image_dataset(data, {.name = "x", .label = "label"}, at::kFloat, nullptr);
  EXPECT_THAT(found.notes, Contains(HasSubstr("100 of the training images repeat another one")));
  for (const SourcePtr& part : {found.splits.validation, found.splits.test}) {
    const at::Tensor numbers = numbers_in(part);
    EXPECT_EQ(numbers.size(0), 20);
    EXPECT_EQ(std::get<0>(at::_unique(numbers)).size(0), 10);
  }
}

TEST(ImageDataset, ThePublishedTestIsTheTest) {
  ImageData data = numbered_images(100);
  data.test = numbered_images(7).train;
  const DataOptions options{.name = "x", .label = "label", .validation_fraction = 0.2};
  const Dataset found = image_dataset(data, options, at::kFloat, nullptr);
  EXPECT_EQ(found.splits.train->size(), 80);
  EXPECT_EQ(found.splits.validation->size(), 20);
  ASSERT_NE(found.splits.test, nullptr);
  EXPECT_TRUE(found.splits.test->rows(0, 7).x.equal(data.test->pixels.to(at::kFloat)));
  EXPECT_TRUE(found.splits.test->rows(0, 7).condition.argmax(1).equal(at::arange(7).remainder(5)));
  EXPECT_EQ(found.identity->rows, 107);
  DataOptions rows = options, fraction = options;
  rows.test_rows = 5;
  fraction.test_fraction = 0.3;
  for (const DataOptions& sizes : {rows, fraction}) {
    expect_error<ConfigError>([&] { image_dataset(data, sizes, at::kFloat, nullptr); },
                              {"test_", "a test part of their own, 7 images", "evaluate --rows"});
  }
  data.test->pixels = some_pixels({7, 3, 4, 2});
  expect_error<IoError>([&] { image_dataset(data, options, at::kFloat, nullptr); },
                        {"2 x 4 in 3 channels", "got 4 x 2"});
}

TEST(ImageDataset, LabelsComeAlongWithTheirImages) {
  const ImageData data = numbered_images(50);
  const Dataset found = image_dataset(data, {.name = "x", .label = "label"}, at::kFloat, nullptr);
  EXPECT_EQ(found.columns.label, "label");
  EXPECT_EQ(found.columns.classes, 5);
  EXPECT_EQ(found.columns.condition_size(), 5);
  for (const Batch& batch :
       {found.splits.train->batch(2, 9), found.splits.validation->rows(0, 5)}) {
    const at::Tensor numbers = batch.x.flatten(1).select(1, 0).to(at::kLong);
    EXPECT_TRUE(batch.condition.argmax(1).equal(numbers.remainder(5)));
  }
  EXPECT_THAT(image_dataset(data, {.name = "x"}, at::kFloat, nullptr).notes,
              Contains(HasSubstr("label = 'label' conditions on them")));
  expect_error<ConfigError>(
      [&] { image_dataset(data, {.name = "x", .label = "class"}, at::kFloat, nullptr); },
      {"label", "'label'", "'class'"});
}

TEST(ImageDataset, WordsOfClassesAreKept) {
  ImageData data = numbered_images(50);
  data.words = {"a", "b", "c", "d", "e", "never seen"};
  const Dataset found = image_dataset(data, {.name = "x", .label = "label"}, at::kFloat, nullptr);
  EXPECT_EQ(found.columns.classes, 6);
  EXPECT_EQ(found.columns.class_names(), data.words);
}

TEST(ImageDataset, FlatImagesAreRowsOfPixels) {
  const ImageData data = numbered_images(50);
  const Dataset whole = image_dataset(data, {.name = "x"}, at::kFloat, nullptr);
  const Dataset flat = image_dataset(data, {.name = "x", .flatten = true}, at::kFloat, nullptr);
  EXPECT_THAT(flat.columns.event_shape, ElementsAre(24));
  EXPECT_THAT(flat.columns.image, ElementsAre(3, 2, 4));
  EXPECT_THAT(flat.splits.train->event_shape(), ElementsAre(24));
  ASSERT_EQ(flat.columns.names.size(), 24U);
  EXPECT_EQ(flat.columns.names[0], "pixel_0_0_0");
  EXPECT_EQ(flat.columns.names[8 + 4 + 3], "pixel_1_1_3");
  EXPECT_TRUE(flat.splits.train->batch(1, 9).x.equal(whole.splits.train->batch(1, 9).x.flatten(1)));
  EXPECT_EQ(flat.identity->checksum, whole.identity->checksum);
}

class KnownImages : public ::testing::Test {
 protected:
  KnownImages() : data_(numbered_images(100)), found_(open(nullptr)) {}
  Dataset open(const KnownData* known) const {
    return image_dataset(data_, {.name = "x", .label = "label"}, at::kDouble, known);
  }
  KnownData known(bool allow_changed) const {
    return {found_.columns, found_.identity.value(), allow_changed};
  }
  ImageData data_;
  Dataset found_;
};

TEST_F(KnownImages, OpenAgainInTheSameParts) {
  data_.train.pixels = data_.train.pixels.flip(0);
  data_.train.labels[0].classes = data_.train.labels[0].classes.flip(0);
  const KnownData before = known(false);
  const Dataset again = open(&before);
  EXPECT_TRUE(numbers_in(again.splits.test).equal(numbers_in(found_.splits.test)));
  EXPECT_TRUE(numbers_in(again.splits.train).equal(numbers_in(found_.splits.train)));
}

TEST_F(KnownImages, AreRefusedWhereAPixelOrALabelChanged) {
  const KnownData strict = known(false), lenient = known(true);
  data_.train.pixels[7][0][1][1] += 1;
  expect_error<DomainError>([&] { open(&strict); }, {"100 rows with checksum", "train anew"});
  const Dataset changed = open(&lenient);
  EXPECT_THAT(changed.notes, Contains(HasSubstr("the data changed since the training")));
  // No image of the held-out side was trained on.
  const at::Tensor trained = numbers_in(found_.splits.train);
  const at::Tensor tested = numbers_in(changed.splits.test);
  EXPECT_FALSE(at::isin(tested.masked_select(tested.ne(7)), trained).any().item<bool>());
  data_.train.pixels[7][0][1][1] -= 1;
  EXPECT_NO_THROW(open(&strict));
  data_.train.labels[0].classes[3] += 1;
  expect_error<DomainError>([&] { open(&strict); }, {"checksum"});
}

TEST_F(KnownImages, HaveTheClassesAndTheSizeOfTheTraining) {
  const KnownData lenient = known(true);
  data_.train.labels[0].classes.clamp_(0, 2);
  EXPECT_EQ(open(&lenient).columns.classes, 5) << "fewer classes stay where they are";
  data_.train.labels[0].classes[0].fill_(8);
  expect_error<DomainError>([&] { open(&lenient); }, {"5 classes", "got 9 classes"});
  data_.train.labels[0].classes[0].fill_(0);
  data_.words = {"a", "b", "c", "d", "e"};
  expect_error<DomainError>([&] { open(&lenient); }, {"got 5 classes: a, b, c"});
  data_ = numbered_images(100);
  data_.train.pixels = data_.train.pixels.view({100, 3, 4, 2});
  expect_error<DomainError>([&] { open(&lenient); }, {"2 x 4 in 3 channels", "got 4 x 2"});
}

TEST(ImageDataset, OneImageIsTooFew) {
  expect_error<ShapeError>(
      [] { image_dataset(numbered_images(1), {.name = "x"}, at::kFloat, nullptr); },
      {"two images"});
}

TEST(ImageDataset, TheDigitsAreImagesOfSeventeenLevels) {
  const Dataset data = open_data({.name = "digits_images", .label = "label"}, at::kDouble);
  EXPECT_THAT(data.columns.event_shape, ElementsAre(1, 8, 8));
  EXPECT_EQ(data.columns.levels, 17);
  EXPECT_EQ(data.columns.classes, 10);
  EXPECT_EQ(data.splits.validation->size(), 144);
  EXPECT_EQ(data.splits.test->size(), 360);
  const Digits digits = load_digits();
  double sum = 0.0;
  int64_t labels = 0;
  for (const SourcePtr& part : {data.splits.train, data.splits.validation, data.splits.test}) {
    const Batch all = part->rows(0, *part->size());
    sum += all.x.sum().item<double>();
    labels += all.condition.argmax(1).sum().item<int64_t>();
  }
  EXPECT_EQ(sum, digits.x.sum().item<double>());
  EXPECT_EQ(labels, digits.labels.sum().item<int64_t>());
}

}  // namespace
}  // namespace contraflow::data::images
