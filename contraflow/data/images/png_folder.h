#pragma once

#include <filesystem>

#include "contraflow/data/images/image_set.h"

namespace contraflow::data::images {

/// A folder with PNG files in it, in its folders, or in theirs.
bool is_png_folder(const std::filesystem::path& path);

/// Images of a folder of PNG files: FOLDER/*.png, or FOLDER/CLASS/*.png with a class for each folder, sorted
/// by name, or either of the two in a folder whose name starts with "train" and one whose name starts
/// with "test" or "val", which is the test. See read_png() for what a file may be.
///
/// Throws     IoError: as read_png(); an image of another size or another number of channels than the
///            first; images beside folders of images; a folder that is neither.
/// Memory     the images, and 16 MiB.
/// Example    const ImageData images = read_png_folder("animals");
ImageData read_png_folder(const std::filesystem::path& path);

}  // namespace contraflow::data::images
