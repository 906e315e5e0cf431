#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "contraflow/core/export.h"

namespace contraflow::data {

/// All images of a path, those to train on before those of the test.
struct ImageFiles {
  at::Tensor pixels;                    ///< uint8 [N, C, H, W].
  std::vector<std::string> names = {};  ///< Of PNG files, from the folder on; empty = no file each.
  at::Tensor classes = {};              ///< int64 [N], of the label "label"; undefined = none.
  std::vector<std::string> words = {};  ///< words[k] is class k; empty = numbers.
};

/// A path that read_image_files() reads: one of the layouts that `data.name` takes for images, or one
/// PNG file.
CF_EXPORT bool is_image_path(const std::string& name);

/// Throws IoError as open_data() does. Memory: the images.
CF_EXPORT ImageFiles read_image_files(const std::string& name);

/// "1 x 28 x 28", "3 x 32 x 32": channels, height, width.
CF_EXPORT std::string image_size_text(at::IntArrayRef image);

/// Images [n, C, H, W] of integers that are written one batch after another.
///
/// Types      integers 0 .. levels - 1 in any type; others are an error of who drew them (DomainError).
/// Threads    one thread at a time.
/// Throws     IoError; DomainError; ConfigError (a folder with PNG files in it).
class CF_EXPORT ImageWriter {
 public:
  virtual ~ImageWriter() = default;
  virtual void append(const at::Tensor& images) = 0;
  /// A file appears under its name now.
  virtual void finish() = 0;
};

/// The name is that of a folder: it ends in a slash, or is one.
CF_EXPORT bool is_folder_path(const std::string& path);

/// FILE.npy: uint8 [N, C, H, W], int64 above 256 levels. FOLDER/: 000000.png and on, the levels spread over
/// 0 .. 255, which leaves 256 of them as they are.
CF_EXPORT std::unique_ptr<ImageWriter> create_images(const std::string& path,
                                                     const std::vector<int64_t>& image,
                                                     int64_t levels, int64_t count);

}  // namespace contraflow::data
