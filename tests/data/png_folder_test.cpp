// PNG files, and folders of them.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/error.h"
#include "contraflow/data/data_registry.h"
#include "contraflow/data/images/png.h"
#include "contraflow/data/images/png_folder.h"
#include "tests/data/expect_error.h"
#include "tests/data/image_files.h"

namespace contraflow::data::images {
namespace {

using namespace contraflow::testing;
using ::testing::ElementsAre;

class PngFolder : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    write_bytes(folder_ / name, bytes);
  }
  /// A grey image of 2 x 3 pixels, all of one value.
  static std::string grey(int64_t value) {
    return png_bytes(at::full({1, 2, 3}, value, at::kByte));
  }
  at::Tensor one(const PngText& png) const {
    write("one.png", png_bytes(png));
    return read_png(folder_ / "one.png");
  }
  ImageData read() const { return read_png_folder(folder_.path()); }
  std::vector<int64_t> first_pixels(const at::Tensor& pixels) const {
    const at::Tensor first = pixels.flatten(1).select(1, 0).to(at::kLong).contiguous();
    return {first.data_ptr<int64_t>(), first.data_ptr<int64_t>() + first.numel()};
  }
  TempFolder folder_;
};

TEST_F(PngFolder, PixelsAreThoseOfTheFile) {
  for (const int64_t channels : {1, 3}) {
    const at::Tensor image = some_pixels({channels, 4, 5});
    write("a.png", png_bytes(image));
    const at::Tensor read = read_png(folder_ / "a.png");
    EXPECT_EQ(read.scalar_type(), at::kByte);
    EXPECT_TRUE(read.equal(image)) << channels;
  }
}

// A gamma of 1 would change the values if it were applied.
TEST_F(PngFolder, GammaIsNotApplied) {
  const at::Tensor read = one({.width = 2,
                               .height = 1,
                               .rows = {"\x10\x80"},
                               .before_data = png_chunk("gAMA", big_endian(100'000))});
  EXPECT_TRUE(read.equal(at::tensor({16, 128}, at::kByte).view({1, 1, 2})));
}

TEST_F(PngFolder, FewBitsAreSpreadOverAllLevels) {
  EXPECT_TRUE(one({.width = 4, .height = 1, .depth = 1, .rows = {"\x50"}})
                  .equal(at::tensor({0, 255, 0, 255}, at::kByte).view({1, 1, 4})));
  EXPECT_TRUE(one({.width = 4, .height = 1, .depth = 2, .rows = {"\x1B"}})
                  .equal(at::tensor({0, 85, 170, 255}, at::kByte).view({1, 1, 4})));
  EXPECT_TRUE(one({.width = 2, .height = 1, .depth = 4, .rows = {"\x2F"}})
                  .equal(at::tensor({34, 255}, at::kByte).view({1, 1, 2})));
}

TEST_F(PngFolder, APaletteBecomesItsColours) {
  const std::string colours = png_chunk("PLTE", "abcxyz");
  const PngText png{.width = 3,
                    .height = 1,
                    .color = 3,
                    .rows = {std::string("\1\0\1", 3)},
                    .before_data = colours};
  const at::Tensor expected =
      at::tensor({120, 97, 120, 121, 98, 121, 122, 99, 122}, at::kByte).view({3, 1, 3});
  EXPECT_TRUE(one(png).equal(expected));
  PngText clear = png;
  clear.before_data += png_chunk("tRNS", "\x80");
  expect_error<IoError>([&] { one(clear); }, {"one.png", "alpha channel or transparency"});
}

TEST_F(PngFolder, SixteenBitsAndAlphaAreRefused) {
  expect_error<IoError>([&] { one({.width = 1, .height = 1, .depth = 16, .rows = {"ab"}}); },
                        {"one.png", "8 bits or fewer", "got 16"});
  expect_error<IoError>(
      [&] { one({.width = 1, .height = 1, .depth = 16, .color = 2, .rows = {"abcdef"}}); },
      {"8 bits or fewer", "got 16"});
  expect_error<IoError>([&] { one({.width = 1, .height = 1, .color = 4, .rows = {"ab"}}); },
                        {"alpha", "background"});
  expect_error<IoError>([&] { one({.width = 1, .height = 1, .color = 6, .rows = {"abcd"}}); },
                        {"alpha"});
  expect_error<IoError>(
      [&] {
        one({.width = 1,
             .height = 1,
             .rows = {"a"},
             .before_data = png_chunk("tRNS", std::string("\0a", 2))});
      },
      {"transparency"});
}

TEST_F(PngFolder, AbsurdSizesAskForNoMemory) {
  expect_error<IoError>([&] { one({.width = 900'000, .height = 900'000, .rows = {"a"}}); },
                        {"one.png, width and height", "900000 x 900000", "can hold"});
  expect_error<IoError>([&] { one({.width = 0x7FFFFFFF, .height = 1, .rows = {"a"}}); },
                        {"one.png"});
  expect_error<IoError>([&] { one({.width = 1, .height = 0, .rows = {}}); }, {"one.png"});
  expect_error<IoError>([&] { one({.width = 4, .height = 4, .rows = {"abcd"}}); },
                        {"one.png", "a whole PNG file"});
}

TEST_F(PngFolder, FilesAreSortedWithNumbersAsNumbers) {
  write("img10.png", grey(10));
  write("img9.PNG", grey(9));
  write("img009.png", grey(90));
  write("a.png", grey(1));
  write("notes.txt", "no image");
  write(".hidden.png", "no image");
  ASSERT_TRUE(is_png_folder(folder_.path()));
  const ImageData data = read();
  EXPECT_EQ(data.train.pixels.sizes(), at::IntArrayRef({4, 1, 2, 3}));
  EXPECT_THAT(first_pixels(data.train.pixels), ElementsAre(1, 9, 90, 10));
  EXPECT_TRUE(data.train.labels.empty());
  EXPECT_FALSE(data.test);
}

TEST_F(PngFolder, FoldersAreClasses) {
  write("dog/1.png", grey(1));
  write("dog/2.png", grey(2));
  write("cat/1.png", grey(3));
  write("empty/readme.txt", "");
  ASSERT_TRUE(is_png_folder(folder_.path()));
  const ImageData data = read();
  EXPECT_THAT(data.words, ElementsAre("cat", "dog"));
  EXPECT_THAT(first_pixels(data.train.pixels), ElementsAre(3, 1, 2));
  EXPECT_TRUE(data.train.labels.at(0).classes.equal(at::tensor({0, 1, 1}, at::kLong)));
  write("stray.png", grey(4));
  expect_error<IoError>([&] { read(); }, {"1 files beside the folder cat"});
}

TEST_F(PngFolder, TrainAndTestAreTwoParts) {
  write("train/a/1.png", grey(1));
  write("train/b/1.png", grey(2));
  write("test/b/1.png", grey(3));
  ASSERT_TRUE(is_png_folder(folder_.path()));
  const ImageData data = read();
  EXPECT_THAT(data.words, ElementsAre("a", "b"));
  EXPECT_THAT(first_pixels(data.train.pixels), ElementsAre(1, 2));
  EXPECT_THAT(first_pixels(data.test->pixels), ElementsAre(3));
  EXPECT_TRUE(data.test->labels.at(0).classes.equal(at::tensor({1}, at::kLong)));
  write("test/c/1.png", grey(3));
  expect_error<IoError>([&] { read(); }, {"test", "c, which it does not have"});
}

// The names of the older ImageNet32.
TEST_F(PngFolder, ValidIsTheTestWhereThereIsNoOther) {
  write("train_32x32/1.png", grey(1));
  write("train_32x32/2.png", grey(2));
  write("valid_32x32/1.png", grey(3));
  EXPECT_EQ(read().test->pixels.size(0), 1);
  EXPECT_TRUE(read().train.labels.empty());
  write("test_32x32/1.png", grey(3));
  expect_error<IoError>([&] { read(); }, {"one for the test", "test_32x32", "valid_32x32"});
}

TEST_F(PngFolder, ImagesOfAnotherSizeOrKindAreNamed) {
  write("a.png", grey(1));
  write("b.png", png_bytes(some_pixels({1, 3, 2})));
  expect_error<IoError>([&] { read(); }, {"b.png", "2 x 3 grey, as", "a.png", "got 3 x 2 grey"});
  write("b.png", png_bytes(some_pixels({3, 2, 3})));
  expect_error<IoError>([&] { read(); }, {"b.png", "got 2 x 3 in colours"});
  write("b.png", "no image");
  expect_error<IoError>([&] { read(); }, {"b.png", "Not a PNG file"});
  write("b.png", "");
  expect_error<IoError>([&] { read(); }, {"b.png", "the end of the file"});
}

TEST_F(PngFolder, FoldersWithoutImagesAreNoData) {
  EXPECT_FALSE(is_png_folder(folder_.path()));
  EXPECT_FALSE(is_png_folder("moons"));
  expect_error<IoError>([&] { find_data(folder_.path().string()); },
                        {"a folder of .png files", "an empty folder", "list data"});
  write("a.jpg", "");
  expect_error<IoError>([&] { find_data(folder_.path().string()); }, {"a folder of other files"});
  expect_error<IoError>([&] { read(); }, {"PNG files, or folders of them", "none"});
}

}  // namespace
}  // namespace contraflow::data::images
