#include "contraflow/data/image_files.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <system_error>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/data_entries.h"
#include "contraflow/data/images/cifar.h"
#include "contraflow/data/images/idx_images.h"
#include "contraflow/data/images/image_arrays.h"
#include "contraflow/data/images/png.h"
#include "contraflow/data/images/png_folder.h"

namespace contraflow::data {
namespace {

bool is_one_png(const std::string& name) {
  std::error_code ignored;
  return images::is_png_file(name) && std::filesystem::is_regular_file(name, ignored);
}

images::ImageData read_layout(const std::string& name) {
  if (is_one_png(name)) {
    images::ImageSet one{.pixels = images::read_png(name).unsqueeze(0)};
    one.files.push_back(std::filesystem::path(name).filename().string());
    return {std::move(one)};
  }
  if (images::is_idx_file(name) || images::is_idx_folder(name))
    return images::read_idx_images(name);
  if (images::is_cifar_file(name) || images::is_cifar_folder(name)) return images::read_cifar(name);
  if (images::is_png_folder(name)) return images::read_png_folder(name);
  return images::read_image_arrays(name);
}

at::Tensor classes_of_set(const images::ImageSet& set) {
  for (const images::ImageLabels& labels : set.labels) {
    if (labels.name == images::kLabelName) return labels.classes;
  }
  return {};
}

// Of an array of the first part and one of the second, if there is one.
at::Tensor both(const at::Tensor& first, const at::Tensor& second) {
  return second.defined() ? at::cat({first, second}) : first;
}

}  // namespace

bool is_image_path(const std::string& name) {
  return is_one_png(name) || images::is_idx_file(name) || images::is_idx_folder(name) ||
         images::is_cifar_file(name) || images::is_cifar_folder(name) ||
         images::is_png_folder(name) || images::is_image_batches(name) ||
         images::is_image_array(name);
}

ImageFiles read_image_files(const std::string& name) {
  images::ImageData data = read_layout(name);
  ImageFiles out{.pixels = std::move(data.train.pixels),
                 .names = std::move(data.train.files),
                 .classes = classes_of_set(data.train),
                 .words = std::move(data.words)};
  if (!data.test) return out;
  if (data.test->pixels.sizes().slice(1) != out.pixels.sizes().slice(1)) {
    fail<IoError>("images", name,
                  "images of one size, " + image_size_text(out.pixels.sizes().slice(1)),
                  image_size_text(data.test->pixels.sizes().slice(1)) + " in its test",
                  "Name one of the two parts.");
  }
  out.pixels = both(out.pixels, data.test->pixels);
  out.names.insert(out.names.end(), data.test->files.begin(), data.test->files.end());
  if (out.classes.defined()) out.classes = both(out.classes, classes_of_set(*data.test));
  if (out.classes.defined() && out.classes.size(0) != out.pixels.size(0))
    out.classes = at::Tensor();
  return out;
}

std::string image_size_text(at::IntArrayRef image) {
  std::vector<std::string> parts;
  for (const int64_t size : image) parts.push_back(std::to_string(size));
  return join(parts, " x ");
}

}  // namespace contraflow::data
