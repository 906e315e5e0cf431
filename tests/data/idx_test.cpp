// Files in the layout of MNIST.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "contraflow/data/images/idx.h"
#include "contraflow/data/images/idx_images.h"
#include "tests/data/expect_error.h"
#include "tests/data/image_files.h"

namespace contraflow::data::images {
namespace {

using namespace contraflow::testing;

TEST(Idx, BytesComeInTheOrderOfTheFile) {
  const TempFolder folder;
  for (const char* name : {"a-ubyte", "a-ubyte.gz"}) {
    for (const auto& sizes :
         std::vector<std::vector<int64_t>>{{7}, {2, 3}, {5, 2, 3}, {2, 3, 4, 5}}) {
      const at::Tensor values = some_pixels(sizes);
      write_either(folder / name, idx_bytes(values));
      const at::Tensor read = read_idx(folder / name);
      EXPECT_EQ(read.scalar_type(), at::kByte);
      EXPECT_TRUE(read.equal(values)) << name << " " << values.sizes();
    }
  }
}

TEST(Idx, SizesHaveTheHighestByteFirst) {
  const TempFolder folder;
  write_bytes(folder / "a-ubyte",
              std::string("\0\0\x08\x02\0\0\0\x03\0\0\1\2", 12) + std::string(774, 'x'));
  EXPECT_EQ(read_idx(folder / "a-ubyte").sizes(), at::IntArrayRef({3, 258}));
}

TEST(Idx, EachFieldIsNamedWhereItIsWrong) {
  const TempFolder folder;
  const std::string good = idx_bytes(some_pixels({5, 2, 3}));
  const auto refused = [&](size_t place, const std::string& bytes,
                           const std::vector<std::string>& parts) {
    std::string bad = good;
    bad.replace(place, bytes.size(), bytes);
    for (const char* name : {"a-ubyte", "b-ubyte.gz"}) {
      write_either(folder / name, bad);
      expect_error<IoError>([&] { read_idx(folder / name); }, parts);
    }
  };
  refused(0, "P", {"-ubyte", "magic number", "80 and 0"});
  refused(2, "\x0D", {"type of the values", "8, unsigned bytes", "got 13"});
  refused(3, std::string(1, '\0'), {"number of axes", "1 to 4", "got 0"});
  refused(3, "\x05", {"number of axes", "got 5"});
  refused(4, std::string(4, '\0'), {"size of axis 0", "1 or more"});
  refused(4, "\xFF\xFF\xFF\xFF", {"size of axis 0", "4,294,967,295"});
  refused(8, "\x7F\xFF\xFF\xFF", {"size of axis 1", "the file can hold"});
  write_bytes(folder / "a-ubyte", idx_bytes(some_pixels({6, 2, 3})).substr(0, good.size()));
  expect_error<IoError>([&] { read_idx(folder / "a-ubyte"); }, {"size of axis 2", "at most the 2"});
  write_gzip(folder / "b-ubyte.gz", idx_bytes(some_pixels({6, 2, 3})).substr(0, good.size()));
  expect_error<IoError>([&] { read_idx(folder / "b-ubyte.gz"); },
                        {"sizes [6, 2, 3]", "36 bytes of values", "got 30"});
  refused(7, "\x04", {"sizes [4, 2, 3]", "24 bytes"});
}

// 2^32 times 2^32 images of 2^32 lines: the product of the sizes is beyond 64 bits.
TEST(Idx, AbsurdSizesAskForNoMemory) {
  const TempFolder folder;
  const std::string header = std::string("\0\0\x08\x04", 4) + std::string(16, '\xFF');
  for (const char* name : {"a-ubyte", "b-ubyte.gz"}) {
    write_either(folder / name, header + std::string(100, 'x'));
    expect_error<IoError>([&] { read_idx(folder / name); }, {"size of axis 0"});
  }
}

class IdxFolder : public ::testing::Test {
 protected:
  void write(const std::string& name, const at::Tensor& values) const {
    write_either(folder_ / name, idx_bytes(values));
  }
  ImageData read() const { return read_idx_images(folder_.path()); }
  TempFolder folder_;
};

TEST_F(IdxFolder, TheFourNamesOfMnistAreTheTwoParts) {
  const at::Tensor train = some_pixels({6, 4, 3}), test = some_pixels({2, 4, 3}, 99);
  write("train-images-idx3-ubyte.gz", train);
  write("train-labels-idx1-ubyte.gz", at::arange(6).remainder(4));
  write("t10k-images-idx3-ubyte", test);
  write("t10k-labels-idx1-ubyte", at::arange(2) + 7);
  ASSERT_TRUE(is_idx_folder(folder_.path()));
  const ImageData data = read();
  EXPECT_TRUE(data.train.pixels.equal(train.unsqueeze(1)));
  EXPECT_TRUE(data.train.labels.at(0).classes.equal(at::arange(6).remainder(4)));
  ASSERT_TRUE(data.test);
  EXPECT_TRUE(data.test->pixels.equal(test.unsqueeze(1)));
  EXPECT_TRUE(data.test->labels.at(0).classes.equal(at::arange(2) + 7));
}

TEST_F(IdxFolder, AFileHasTheLabelsThatStandBesideIt) {
  write("my-images.idx3-ubyte", some_pixels({3, 2, 2}));
  const auto read_file = [&] { return read_idx_images(folder_ / "my-images.idx3-ubyte").train; };
  EXPECT_TRUE(read_file().labels.empty());
  write("my-labels.idx1-ubyte.gz", at::arange(3));
  EXPECT_TRUE(read_file().labels.at(0).classes.equal(at::arange(3)));
  write("my-labels.idx1-ubyte.gz", at::arange(4));
  expect_error<IoError>(read_file, {"my-labels", "3 labels", "my-images.idx3-ubyte", "[4]"});
  expect_error<IoError>([&] { read_idx_images(folder_ / "my-labels.idx1-ubyte.gz"); },
                        {"images [N, H, W]", "sizes [4]", "labels is found beside it"});
}

TEST_F(IdxFolder, ColouredImagesAreTurnedToChannelsFirst) {
  const at::Tensor pixels = some_pixels({2, 3, 4, 5});
  write("first-images-idx4-ubyte", pixels);
  EXPECT_TRUE(read().train.pixels.equal(pixels));
  write("first-images-idx4-ubyte", pixels.permute({0, 2, 3, 1}));
  EXPECT_TRUE(read().train.pixels.equal(pixels));
  write("first-images-idx4-ubyte", some_pixels({2, 5, 4, 2}));
  expect_error<IoError>([&] { read(); }, {"1 or 3 channels", "[2, 5, 4, 2]"});
}

TEST_F(IdxFolder, FilesThatDoNotSayTheirPartAreRefused) {
  write("t10k-images-idx3-ubyte", some_pixels({2, 4, 3}));
  expect_error<IoError>([&] { read(); }, {"with 'train' in its name", "t10k-images"});
  write("a-train-images-idx3-ubyte", some_pixels({2, 4, 3}));
  EXPECT_TRUE(read().test);
  write("b-train-images-idx3-ubyte", some_pixels({2, 4, 3}));
  expect_error<IoError>([&] { read(); }, {"a-train-images-idx3-ubyte, b-train"});
}

// Who unpacks a file and keeps the old one has one file of images.
TEST_F(IdxFolder, APlainFileStandsForItsCompressedOne) {
  write("train-images-idx3-ubyte", some_pixels({2, 4, 3}));
  write_bytes(folder_ / "train-images-idx3-ubyte.gz", "old");
  EXPECT_EQ(read().train.pixels.size(0), 2);
}

}  // namespace
}  // namespace contraflow::data::images
