// Files of images with a damaged byte: the images that are there, or an error that names the file. Never a
// crash, another exception, or memory for sizes that the file cannot have.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <functional>

#include "contraflow/core/error.h"
#include "contraflow/data/images/cifar.h"
#include "contraflow/data/images/idx_images.h"
#include "contraflow/data/images/image_arrays.h"
#include "contraflow/data/images/png_folder.h"
#include "tests/data/image_files.h"
#include "tests/support/byte_damage.h"

namespace contraflow::data::images {
namespace {

using namespace contraflow::testing;

struct ImageOutcomes {
  int same = 0;   ///< The images of the good file.
  int other = 0;  ///< Others: nothing tells the damage from a good file.
  int refused = 0;
};

int64_t most_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

/// Reads every damaged form of the file `name`, which holds `good`, by `read`.
ImageOutcomes read_damaged_images(const TempFolder& folder, const std::string& name,
                                  const std::function<ImageData()>& read) {
  const std::string good = read_bytes(folder / name);
  const ImageData expected = read();
  const int64_t before = most_memory();
  ImageOutcomes out;
  for_each_damage(good, [&](const std::string& bytes, const std::string& what) {
    std::filesystem::remove(folder / name);  // a new file is not flushed when it is closed
    write_bytes(folder / name, bytes);
    try {
      const ImageData data = read();
      const bool same = data.train.pixels.equal(expected.train.pixels) &&
                        (data.train.labels.empty() ||
                         data.train.labels[0].classes.equal(expected.train.labels[0].classes));
      ++(same ? out.same : out.other);
    } catch (const Error& error) {  // any other exception fails the test
      EXPECT_THAT(error.what(), ::testing::HasSubstr(folder.path().string())) << what;
      EXPECT_LT(std::string(error.what()).size(), 800U) << what;
      ++out.refused;
    }
  });
  constexpr int64_t kMostMemory = int64_t{200} << 20;  // blocks of 64 MiB are asked for at once
  EXPECT_LT(most_memory() - before, kMostMemory);
  return out;
}

TEST(DamagedImages, Idx) {
  const TempFolder folder;
  write_bytes(folder / "a-ubyte", idx_bytes(some_pixels({4, 3, 5})));
  const ImageOutcomes found =
      read_damaged_images(folder, "a-ubyte", [&] { return read_idx_images(folder / "a-ubyte"); });
  EXPECT_EQ(found.refused, 16 * 12 + 60 * 3) << "each damage of the header, each other length";
  EXPECT_EQ(found.other, 60 * 9) << "another pixel";
}

TEST(DamagedImages, IdxLabels) {
  const TempFolder folder;
  write_bytes(folder / "images-idx3-ubyte", idx_bytes(some_pixels({4, 3, 5})));
  write_bytes(folder / "labels-idx1-ubyte", idx_bytes(at::arange(4)));
  const ImageOutcomes found = read_damaged_images(
      folder, "labels-idx1-ubyte", [&] { return read_idx_images(folder / "images-idx3-ubyte"); });
  EXPECT_EQ(found.refused, 8 * 12 + 4 * 3);
}

TEST(DamagedImages, CompressedIdx) {
  const TempFolder folder;
  write_gzip(folder / "a-ubyte.gz", idx_bytes(some_pixels({4, 3, 5})));
  const ImageOutcomes found = read_damaged_images(
      folder, "a-ubyte.gz", [&] { return read_idx_images(folder / "a-ubyte.gz"); });
  EXPECT_EQ(found.other, 0) << "a checksum tells";
  EXPECT_GT(found.refused, 800);
}

TEST(DamagedImages, Png) {
  const TempFolder folder;
  for (const int64_t channels : {1, 3}) {
    write_bytes(folder / "a.png", png_bytes(some_pixels({channels, 3, 4})));
    const ImageOutcomes found =
        read_damaged_images(folder, "a.png", [&] { return read_png_folder(folder.path()); });
    EXPECT_EQ(found.other, 0) << "a checksum tells";
    EXPECT_GT(found.refused, 800);
  }
}

TEST(DamagedImages, Archive) {
  const TempFolder folder;
  write_bytes(folder / "a.npz",
              npz_bytes({{"data", some_pixels({2, 192})}, {"labels", at::arange(2) + 1}}));
  const ImageOutcomes found = read_damaged_images(
      folder, "a.npz", [&] { return read_image_arrays((folder / "a.npz").string()); });
  EXPECT_EQ(found.other, 0) << "a checksum tells";
  EXPECT_GT(found.refused, 3000);
}

// One record, cut at some places: every byte of 3,073 would take long.
TEST(DamagedImages, CifarCutOff) {
  const TempFolder folder;
  const std::string good = cifar_bytes(at::zeros({1, 1}), some_pixels({1, 3, 32, 32}));
  write_gzip(folder / "a.bin.gz", good);
  const std::string packed = read_bytes(folder / "a.bin.gz");
  for (size_t size = 0; size < packed.size(); size += 7) {
    write_bytes(folder / "b.bin.gz", packed.substr(0, size));
    EXPECT_THROW(read_cifar(folder / "b.bin.gz"), IoError) << size;
  }
  for (size_t size = 0; size < good.size(); size += 7) {
    write_bytes(folder / "b.bin", good.substr(0, size));
    EXPECT_THROW(read_cifar(folder / "b.bin"), IoError) << size;
  }
}

}  // namespace
}  // namespace contraflow::data::images
