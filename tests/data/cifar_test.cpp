// Files in the binary layout of CIFAR-10 and CIFAR-100.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "contraflow/data/images/cifar.h"
#include "tests/data/expect_error.h"
#include "tests/data/image_files.h"

namespace contraflow::data::images {
namespace {

using namespace contraflow::testing;

at::Tensor cifar_pixels(int64_t count, int64_t start = 3) {
  return some_pixels({count, 3, 32, 32}, start);
}

at::Tensor column_of(const at::Tensor& classes) { return classes.unsqueeze(1); }

TEST(Cifar, ABatchIsLabelsAndPlanes) {
  const TempFolder folder;
  const at::Tensor pixels = cifar_pixels(4), labels = at::tensor({3, 9, 0, 3}, at::kLong);
  for (const char* name : {"a.bin", "a.bin.gz"}) {
    write_either(folder / name, cifar_bytes(column_of(labels), pixels));
    const ImageSet set = read_cifar(folder / name).train;
    EXPECT_EQ(set.pixels.scalar_type(), at::kByte);
    EXPECT_TRUE(set.pixels.equal(pixels)) << name;
    ASSERT_EQ(set.labels.size(), 1U);
    EXPECT_TRUE(set.labels[0].classes.equal(labels));
  }
}

// The first byte of a record is the label, the next 1,024 are red.
TEST(Cifar, RedComesFirst) {
  const TempFolder folder;
  std::string record(3073, '\0');
  record[0] = 6;
  record[1 + 33] = 'r';
  record[1 + 1024 + 1] = 'g';
  record[1 + 2048 + 1023] = 'b';
  write_bytes(folder / "a.bin", record + record);
  const at::Tensor image = read_cifar(folder / "a.bin").train.pixels[1];
  EXPECT_EQ(image[0][1][1].item<int>(), 'r');
  EXPECT_EQ(image[1][0][1].item<int>(), 'g');
  EXPECT_EQ(image[2][31][31].item<int>(), 'b');
  EXPECT_EQ(image.sum().item<int>(), 'r' + 'g' + 'b');
}

TEST(Cifar, AFolderHasItsBatchesInOrderAndItsTest) {
  const TempFolder folder;
  const at::Tensor pixels = cifar_pixels(6), labels = column_of(at::arange(6));
  write_bytes(folder / "data_batch_2.bin",
              cifar_bytes(labels.narrow(0, 2, 3), pixels.narrow(0, 2, 3)));
  write_gzip(folder / "data_batch_1.bin.gz",
             cifar_bytes(labels.narrow(0, 0, 2), pixels.narrow(0, 0, 2)));
  write_bytes(folder / "data_batch_10.bin",
              cifar_bytes(labels.narrow(0, 5, 1), pixels.narrow(0, 5, 1)));
  ASSERT_TRUE(is_cifar_folder(folder.path()));
  EXPECT_FALSE(read_cifar(folder.path()).test);
  write_bytes(folder / "test_batch.bin", cifar_bytes(labels, pixels));
  write_bytes(folder / "batches.meta.txt", "airplane\n");
  const ImageData data = read_cifar(folder.path());
  EXPECT_TRUE(data.train.pixels.equal(pixels));
  EXPECT_TRUE(data.train.labels[0].classes.equal(at::arange(6)));
  EXPECT_TRUE(data.test->pixels.equal(pixels));
}

TEST(Cifar, HundredClassesHaveCoarseOnesToo) {
  const TempFolder folder;
  const at::Tensor labels = at::tensor({19, 99, 0, 50, 7, 8}, at::kLong).view({3, 2});
  write_bytes(folder / "train.bin", cifar_bytes(labels, cifar_pixels(3)));
  write_bytes(folder / "test.bin", cifar_bytes(labels.narrow(0, 0, 1), cifar_pixels(1, 50)));
  const ImageData data = read_cifar(folder.path());
  ASSERT_EQ(data.train.labels.size(), 2U);
  EXPECT_EQ(data.train.labels[0].name, "coarse_label");
  EXPECT_EQ(data.train.labels[1].name, "label");
  EXPECT_TRUE(data.train.labels[0].classes.equal(at::tensor({19, 0, 7}, at::kLong)));
  EXPECT_TRUE(data.train.labels[1].classes.equal(at::tensor({99, 50, 8}, at::kLong)));
  EXPECT_TRUE(data.train.pixels.equal(cifar_pixels(3)));
  EXPECT_TRUE(data.test->pixels.equal(cifar_pixels(1, 50)));
}

TEST(Cifar, LabelsBeyondTheClassesAreRefused) {
  const TempFolder folder;
  write_bytes(folder / "a.bin",
              cifar_bytes(column_of(at::tensor({3, 10}, at::kLong)), cifar_pixels(2)));
  expect_error<IoError>([&] { read_cifar(folder / "a.bin"); },
                        {"a.bin, record 1, label", "0 to 9", "got 10"});
  write_bytes(folder / "b.bin",
              cifar_bytes(at::tensor({20, 0}, at::kLong).view({1, 2}), cifar_pixels(1)));
  expect_error<IoError>([&] { read_cifar(folder / "b.bin"); },
                        {"record 0, coarse_label", "0 to 19", "got 20"});
}

TEST(Cifar, OtherSizesAreNoBatches) {
  const TempFolder folder;
  const std::string good = cifar_bytes(column_of(at::arange(2)), cifar_pixels(2));
  for (const char* name : {"a.bin", "a.bin.gz"}) {
    for (const size_t size : {size_t{0}, size_t{1}, good.size() - 1}) {
      write_either(folder / name, good.substr(0, size));
      expect_error<IoError>([&] { read_cifar(folder / name); }, {name});
    }
  }
  write_bytes(folder / "a.bin", good + "xyz");
  expect_error<IoError>([&] { read_cifar(folder / "a.bin"); },
                        {"3,073 bytes (CIFAR-10)", "3,074", "6,149 bytes"});
}

TEST(Cifar, BothLayoutsInOneFolderAreRefused) {
  const TempFolder folder;
  write_bytes(folder / "data_batch_1.bin", cifar_bytes(column_of(at::arange(2)), cifar_pixels(2)));
  write_bytes(folder / "data_batch_2.bin", cifar_bytes(at::zeros({1, 2}), cifar_pixels(1)));
  expect_error<IoError>([&] { read_cifar(folder.path()); }, {"data_batch_2.bin", "two folders"});
}

}  // namespace
}  // namespace contraflow::data::images
