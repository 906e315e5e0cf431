#pragma once

#include <filesystem>

#include "contraflow/data/images/image_set.h"

namespace contraflow::data::images {

/// The name is one of an IDX file: *-ubyte or *.idx, each also with .gz.
bool is_idx_file(const std::filesystem::path& path);
/// A folder with a file of images in it: *images*-ubyte.
bool is_idx_folder(const std::filesystem::path& path);

/// Images [N, H, W], [N, C, H, W] or [N, H, W, C] of an IDX file, or of a folder with the names of MNIST:
/// train-images-idx3-ubyte and t10k-images-idx3-ubyte, or others of which one has "train" and one
/// "t10k" or "test" in its name. The file named labels-idx1 in place of images-idx3 has the labels; it may
/// be missing.
///
/// Throws     IoError: as read_idx(); no axes of images; another number of labels than of images;
///            files in the folder that do not say which part they are.
ImageData read_idx_images(const std::filesystem::path& path);

}  // namespace contraflow::data::images
