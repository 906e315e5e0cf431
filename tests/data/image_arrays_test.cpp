// Arrays of NumPy that are images.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "contraflow/data/dataset.h"
#include "contraflow/data/images/image_arrays.h"
#include "tests/data/expect_error.h"
#include "tests/data/image_files.h"
#include "tests/support/npy.h"

namespace contraflow::data::images {
namespace {

using namespace contraflow::testing;
using ::testing::ElementsAre;

class ImageArrays : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void npz(const std::string& name, const std::map<std::string, at::Tensor>& arrays) const {
    write_bytes(folder_ / name, npz_bytes(arrays));
  }
  TempFolder folder_;
};

TEST_F(ImageArrays, BytesOfThreeAndFourAxesAreImages) {
  const at::Tensor pixels = some_pixels({5, 3, 4, 6});
  const auto read = [&](const at::Tensor& array) {
    write_npy(folder_ / "a.npy", array);
    EXPECT_TRUE(is_image_array(path("a.npy"))) << array.sizes();
    return read_image_arrays(path("a.npy")).train.pixels;
  };
  EXPECT_TRUE(read(pixels).equal(pixels));
  EXPECT_TRUE(read(pixels.permute({0, 2, 3, 1})).equal(pixels));
  EXPECT_TRUE(read(pixels.select(1, 0)).equal(pixels.narrow(1, 0, 1)));
  EXPECT_EQ(read(pixels).scalar_type(), at::kByte);
  write_gzip(folder_ / "a.npy.gz", npy_bytes(pixels));
  EXPECT_TRUE(read_image_arrays(path("a.npy.gz")).train.pixels.equal(pixels));
}

TEST_F(ImageArrays, OtherArraysAreRowsAsBefore) {
  const auto is_image = [&](const at::Tensor& array) {
    write_npy(folder_ / "a.npy", array);
    return is_image_array(path("a.npy"));
  };
  EXPECT_FALSE(is_image(some_pixels({5, 192}))) << "a table of bytes";
  EXPECT_FALSE(is_image(some_pixels({5, 2, 4, 6}))) << "two channels";
  EXPECT_FALSE(is_image(some_pixels({5, 3, 4, 6}).to(at::kFloat)));
  EXPECT_FALSE(is_image(some_pixels({5, 1, 3, 4, 6})));
  EXPECT_FALSE(is_image_array(path("none.npy")));
  EXPECT_FALSE(is_image_array("moons"));
  write_bytes(folder_ / "bad.npz", "PK");
  EXPECT_FALSE(is_image_array(path("bad.npz")));
  npz("table.npz", {{"data", some_pixels({5, 27})}, {"labels", at::arange(5)}});
  EXPECT_FALSE(is_image_array(path("table.npz"))) << "27 columns, no 3 x 3 images";
}

TEST_F(ImageArrays, ImageNetCountsItsLabelsFromOne) {
  const at::Tensor pixels = some_pixels({4, 3, 8, 8});
  npz("val_data.npz",
      {{"data", pixels.flatten(1)}, {"labels", at::tensor({1, 1000, 7, 2}, at::kLong)}});
  ASSERT_TRUE(is_image_array(path("val_data.npz")));
  const ImageSet set = read_image_arrays(path("val_data.npz")).train;
  EXPECT_TRUE(set.pixels.equal(pixels));
  EXPECT_TRUE(set.labels.at(0).classes.equal(at::tensor({0, 999, 6, 1}, at::kLong)));
  npz("zero.npz", {{"data", pixels.flatten(1)}, {"labels", at::arange(4)}});
  expect_error<IoError>([&] { read_image_arrays(path("zero.npz")); },
                        {"labels.npy, row 0", "a class from 1", "got 0"});
}

TEST_F(ImageArrays, BatchesOfAFolderFollowEachOther) {
  const at::Tensor pixels = some_pixels({6, 3, 8, 8}), labels = at::arange(6) + 1;
  const auto batch = [&](const std::string& name, int64_t first, int64_t count) {
    npz(name, {{"data", pixels.narrow(0, first, count).flatten(1)},
               {"labels", labels.narrow(0, first, count)},
               {"mean", at::zeros({192}, at::kFloat)}});
  };
  batch("train_data_batch_1.npz", 0, 2);
  batch("train_data_batch_10.npz", 5, 1);
  batch("train_data_batch_2.npz", 2, 3);
  ASSERT_TRUE(is_image_batches(folder_.path()));
  EXPECT_FALSE(read_image_arrays(folder_.path()).test);
  batch("val_data.npz", 1, 2);
  const ImageData data = read_image_arrays(folder_.path());
  EXPECT_TRUE(data.train.pixels.equal(pixels));
  EXPECT_TRUE(data.train.labels.at(0).classes.equal(at::arange(6)));
  EXPECT_TRUE(data.test->pixels.equal(pixels.narrow(0, 1, 2)));
  npz("train_data_batch_3.npz",
      {{"data", some_pixels({2, 3 * 16 * 16})}, {"labels", at::arange(2) + 1}});
  expect_error<IoError>([&] { read_image_arrays(folder_.path()); },
                        {"train_data_batch_3.npz", "[3, 8, 8]", "got [3, 16, 16]"});
  npz("train_data_batch_3.npz", {{"data", some_pixels({2, 192})}});
  expect_error<IoError>([&] { read_image_arrays(folder_.path()); },
                        {"train_data_batch_3.npz", "labels [N]"});
}

TEST_F(ImageArrays, KerasHasBothPartsInOneFile) {
  const at::Tensor train = some_pixels({5, 4, 4}), test = some_pixels({2, 4, 4}, 77);
  npz("mnist.npz", {{"x_train", train},
                    {"y_train", at::arange(5)},
                    {"x_test", test},
                    {"y_test", at::tensor({9, 3}, at::kLong).unsqueeze(1)}});
  const ImageData data = read_image_arrays(path("mnist.npz"));
  EXPECT_TRUE(data.train.pixels.equal(train.unsqueeze(1)));
  EXPECT_TRUE(data.train.labels.at(0).classes.equal(at::arange(5)));
  EXPECT_TRUE(data.test->pixels.equal(test.unsqueeze(1)));
  EXPECT_TRUE(data.test->labels.at(0).classes.equal(at::tensor({9, 3}, at::kLong)));
}

TEST_F(ImageArrays, AnArchiveMayHaveOneArrayOfImagesAndItsLabels) {
  const at::Tensor pixels = some_pixels({3, 1, 4, 4});
  npz("own.npz", {{"images", pixels}, {"labels", at::arange(3)}});
  const ImageSet set = read_image_arrays(path("own.npz")).train;
  EXPECT_TRUE(set.pixels.equal(pixels));
  EXPECT_TRUE(set.labels.at(0).classes.equal(at::arange(3)));
  npz("own.npz", {{"a", pixels}, {"b", pixels}});
  EXPECT_FALSE(is_image_array(path("own.npz")));
  npz("own.npz", {{"images", pixels}, {"labels", at::arange(4)}});
  expect_error<IoError>([&] { read_image_arrays(path("own.npz")); }, {"3 labels", "shape [4]"});
  npz("own.npz", {{"images", pixels}, {"labels", at::tensor({0.0, 0.5, 1.0}, at::kFloat)}});
  expect_error<IoError>([&] { read_image_arrays(path("own.npz")); },
                        {"row 1", "a class from 0", "got 0.5"});
  npz("own.npz", {{"images", pixels}, {"labels", at::arange(3) - 1}});
  expect_error<IoError>([&] { read_image_arrays(path("own.npz")); }, {"row 0", "got -1"});
}

// The size of a plain array is known, that of a member is not: it is read block by block.
TEST_F(ImageArrays, AbsurdSizesAskForNoMemory) {
  const std::string header = make_npy_header("|u1", {int64_t{1} << 30, 3, 64, 64});
  write_bytes(folder_ / "a.npy", header + std::string(100, 'x'));
  expect_error<IoError>([&] { open_data({.name = path("a.npy")}); }, {"a.npy", "bytes of values"});
  write_gzip(folder_ / "a.npy.gz", header + std::string(100, 'x'));
  expect_error<IoError>([&] { read_image_arrays(path("a.npy.gz")); }, {"a.npy.gz", "cut off"});
}

TEST_F(ImageArrays, KeysOfTablesDoNotApply) {
  write_npy(folder_ / "a.npy", some_pixels({30, 3, 4, 6}));
  const Dataset data = open_data({.name = path("a.npy")});
  EXPECT_THAT(data.columns.event_shape, ElementsAre(3, 4, 6));
  EXPECT_EQ(data.columns.levels, 256);
  EXPECT_EQ(open_data({.name = path("a.npy"), .levels = 256}).columns.levels, 256);
  expect_error<ConfigError>(
      [&] { open_data({.name = path("a.npy"), .columns = {"0"}}); },
      {"columns", "the images", "label, flatten, bits, flip, crop_padding, levels"});
  expect_error<ConfigError>([&] { open_data({.name = path("a.npy"), .label = "label"}); },
                            {"label", "images without labels"});
}

TEST_F(ImageArrays, OtherEventsMayBeFlattenedToo) {
  const at::Tensor events = some_pixels({30, 2, 3, 2}).to(at::kFloat);
  write_npy(folder_ / "a.npy", events);
  const Dataset data = open_data({.name = path("a.npy"), .flatten = true});
  EXPECT_THAT(data.columns.event_shape, ElementsAre(12));
  EXPECT_EQ(data.columns.names.size(), 12U);
  EXPECT_THAT(data.columns.image, ElementsAre(2, 3, 2));
  const Dataset whole = open_data({.name = path("a.npy")});
  EXPECT_TRUE(data.splits.train->rows(0, 9).x.equal(whole.splits.train->rows(0, 9).x.flatten(1)));
}

}  // namespace
}  // namespace contraflow::data::images
