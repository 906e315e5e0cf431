#include <ATen/ATen.h>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/data_entries.h"
#include "contraflow/data/digits.h"
#include "contraflow/data/images/cifar.h"
#include "contraflow/data/images/idx_images.h"
#include "contraflow/data/images/image_arrays.h"
#include "contraflow/data/images/image_dataset.h"
#include "contraflow/data/images/png_folder.h"

namespace contraflow::data {
namespace {

template <class Read>
DataEntry image_entry(const char* name, const char* summary, const char* source, const char* path,
                      std::function<bool(const std::string&)> takes, Read read) {
  return {.name = name,
          .kind = "images",
          .summary = summary,
          .source = source,
          .path = path,
          .options = images::kImageKeys,
          .takes = std::move(takes),
          .open = [read](const DataOptions& options, at::ScalarType dtype, const KnownData* known) {
            return images::image_dataset(read(options.name), options, dtype, known);
          }};
}

images::ImageData digits_as_images() {
  const Digits digits = load_digits();
  images::ImageData out;
  out.train.pixels = digits.x.to(at::kByte).view({-1, 1, Digits::kSide, Digits::kSide});
  out.train.labels.push_back({images::kLabelName, digits.labels});
  out.levels = Digits::kLevels;
  return out;
}

Dataset open_digits_images(DataOptions options, at::ScalarType dtype, const KnownData* known) {
  if (!options.validation_rows) options.validation_rows = 144;
  if (!options.test_rows) options.test_rows = 360;
  return images::image_dataset(digits_as_images(), options, dtype, known);
}

}  // namespace

DataEntry detail::digits_images_entry() {
  return {.name = "digits_images",
          .kind = "built-in images",
          .summary = "the " + format_count(Digits::kRows) +
                     " digits as grey images of 8 x 8 pixels, integers 0 .. 16, and their label",
          .source = "UCI",
          .options = images::kImageKeys,
          .takes = [](const std::string& name) { return name == "digits_images"; },
          .open = open_digits_images};
}

std::vector<DataEntry> detail::image_file_entries() {
  return {image_entry(
              "idx",
              "images in MNIST's layout: train-images-idx3-ubyte, t10k-images-idx3-ubyte and their "
              "labels, each also .gz",
              "LeCun", "FILE-ubyte, FILE.idx, or a FOLDER of them",
              [](const std::string& name) {
                return images::is_idx_file(name) || images::is_idx_folder(name);
              },
              images::read_idx_images),
          image_entry(
              "cifar",
              "images in CIFAR's binary layout: data_batch_*.bin and test_batch.bin, or train.bin "
              "and test.bin, each also .gz",
              "Krizhevsky 2009", "FILE.bin, or a FOLDER of them",
              [](const std::string& name) {
                return images::is_cifar_file(name) || images::is_cifar_folder(name);
              },
              images::read_cifar),
          image_entry(
              "imagenet",
              "images as ImageNet32 and ImageNet64 have them: train_data_batch_*.npz and "
              "val_data.npz",
              "Chrabaszcz et al. 2017", "FOLDER of .npz files",
              [](const std::string& name) { return images::is_image_batches(name); },
              images::read_image_arrays),
          image_entry(
              "png",
              "images of one size; or folders of them, which are classes; or two such folders, "
              "train and test",
              "", "FOLDER of .png files",
              [](const std::string& name) { return images::is_png_folder(name); },
              images::read_png_folder)};
}

}  // namespace contraflow::data
