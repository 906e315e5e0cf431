// Images of any layout with the names of their files, and images that are written.
#include "contraflow/data/image_files.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/data/images/png.h"
#include "tests/data/expect_error.h"
#include "tests/data/image_files.h"

namespace contraflow::data {
namespace {

using namespace contraflow::testing;

class ImageFilesOf : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  void write_pngs(const std::string& folder, const at::Tensor& images) const {
    std::filesystem::create_directories(folder_ / folder);
    for (int64_t k = 0; k < images.size(0); ++k) {
      const std::string name = folder + "/image_" + std::to_string(k) + ".png";
      write_bytes(folder_ / name, png_bytes(images[k]));
    }
  }

  TempFolder folder_;
};

TEST_F(ImageFilesOf, APngFolderHasNames) {
  const at::Tensor images = some_pixels({11, 3, 4, 5});
  write_pngs("flat", images);
  EXPECT_TRUE(is_image_path(path("flat")));
  const ImageFiles found = read_image_files(path("flat"));
  EXPECT_TRUE(found.pixels.equal(images));
  ASSERT_EQ(found.names.size(), 11);
  EXPECT_EQ(found.names[2], "image_2.png") << "numbers in names count as numbers";
  EXPECT_EQ(found.names[10], "image_10.png");
  EXPECT_FALSE(found.classes.defined());
}

TEST_F(ImageFilesOf, FoldersOfClassesAreInTheNames) {
  write_pngs("animals/cat", some_pixels({2, 1, 3, 3}));
  write_pngs("animals/dog", some_pixels({1, 1, 3, 3}, 9));
  const ImageFiles found = read_image_files(path("animals"));
  EXPECT_EQ(found.names,
            (std::vector<std::string>{"cat/image_0.png", "cat/image_1.png", "dog/image_0.png"}));
  EXPECT_EQ(found.words, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_TRUE(found.classes.equal(at::tensor({0, 0, 1}, at::kLong)));
}

TEST_F(ImageFilesOf, OneFileIsOneImage) {
  const at::Tensor image = some_pixels({1, 1, 6, 7});
  write_pngs("one", image);
  const ImageFiles found = read_image_files(path("one/image_0.png"));
  EXPECT_TRUE(found.pixels.equal(image));
  EXPECT_EQ(found.names, std::vector<std::string>{"image_0.png"});
}

TEST_F(ImageFilesOf, BothPartsAreRead) {
  const at::Tensor train = some_pixels({4, 3, 5}), test = some_pixels({2, 3, 5}, 8);
  std::filesystem::create_directory(folder_ / "mnist");
  write_bytes(folder_ / "mnist/train-images-idx3-ubyte", idx_bytes(train));
  write_bytes(folder_ / "mnist/t10k-images-idx3-ubyte", idx_bytes(test));
  write_bytes(folder_ / "mnist/train-labels-idx1-ubyte", idx_bytes(at::arange(4)));
  write_bytes(folder_ / "mnist/t10k-labels-idx1-ubyte", idx_bytes(at::arange(2)));
  const ImageFiles found = read_image_files(path("mnist"));
  EXPECT_TRUE(found.pixels.equal(at::cat({train, test}).unsqueeze(1)));
  EXPECT_TRUE(found.classes.equal(at::tensor({0, 1, 2, 3, 0, 1}, at::kLong)));
  EXPECT_TRUE(found.names.empty());
}

TEST_F(ImageFilesOf, OtherPathsAreNone) {
  write_bytes(folder_ / "a.csv", "x,y\n1,2\n");
  for (const std::string& name : {path("a.csv"), path("no.png"), path(""), std::string("moons")})
    EXPECT_FALSE(is_image_path(name)) << name;
}

// ------------------------------------------------------------------------------------ writers

TEST_F(ImageFilesOf, AnArrayIsReadBack) {
  const at::Tensor images = some_pixels({5, 3, 2, 4});
  const auto writer = create_images(path("a.npy"), {3, 2, 4}, 256, 5);
  writer->append(images.narrow(0, 0, 3).to(at::kDouble));
  writer->append(images.narrow(0, 3, 2).to(at::kFloat));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.npy")) << "not before it is complete";
  writer->finish();
  EXPECT_EQ(read_bytes(folder_ / "a.npy").substr(128), bytes_of(images));
  EXPECT_TRUE(read_image_files(path("a.npy")).pixels.equal(images));
}

TEST_F(ImageFilesOf, AFolderIsReadBack) {
  const at::Tensor grey = some_pixels({3, 1, 4, 3}), colored = some_pixels({3, 3, 4, 3});
  for (const at::Tensor& images : {grey, colored}) {
    const std::string folder = path("out" + std::to_string(images.size(1))) + "/";
    const auto writer = create_images(folder, images.sizes().slice(1).vec(), 256, 3);
    writer->append(images.to(at::kDouble));
    writer->finish();
    const ImageFiles found = read_image_files(folder);
    EXPECT_TRUE(found.pixels.equal(images));
    EXPECT_EQ(found.names[2], "000002.png");
  }
}

TEST_F(ImageFilesOf, FewLevelsAreSpread) {
  const auto writer = create_images(path("digits/"), {1, 1, 3}, 17, 1);
  writer->append(at::tensor({0.0, 8.0, 16.0}).view({1, 1, 1, 3}));
  const at::Tensor found = images::read_png(folder_ / "digits" / "000000.png");
  EXPECT_TRUE(found.flatten().equal(at::tensor({0, 128, 255}, at::kByte)));
}

TEST_F(ImageFilesOf, WhatIsNoLevelIsRefused) {
  const auto writer = create_images(path("a.npy"), {1, 1, 2}, 17, 1);
  for (const double bad : {0.5, -1.0, 17.0, std::nan("")}) {
    expect_error<DomainError>(
        [&] {
          writer->append(at::tensor({3.0, bad}).view({1, 1, 1, 2}));
        },
        {"integers 0 .. 16"});
  }
}

TEST_F(ImageFilesOf, OldPicturesStayAlone) {
  write_pngs("full", some_pixels({1, 1, 3, 3}));
  expect_error<ConfigError>(
      [&] {
        create_images(path("full"), {1, 3, 3}, 256, 1);
      },
      {"a folder without PNG files"});
  write_bytes(folder_ / "file", "x");
  expect_error<IoError>(
      [&] {
        create_images(path("file/"), {1, 3, 3}, 256, 1);
      },
      {"a folder that can be made"});
  expect_error<ConfigError>([&] { create_images(path("a.jpg"), {1, 3, 3}, 256, 1); }, {".npy"});
}

}  // namespace
}  // namespace contraflow::data
