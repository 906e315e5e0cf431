#pragma once

#include <filesystem>
#include <string>

#include "contraflow/data/images/image_set.h"

namespace contraflow::data::images {

/// A file of NumPy with images in it, arrays of uint8:
///   FILE.npy, FILE.npy.gz   [N, H, W], [N, C, H, W] or [N, H, W, C] with 1 or 3 channels
///   FILE.npz                x_train, y_train, x_test, y_test, as Keras has them
///   FILE.npz                data [N, 3 S S] and labels from 1 on, as ImageNet32 and ImageNet64 have them
///   FILE.npz                one such array, and perhaps "labels" from 0 on
/// False for other files, and for those that cannot be read: who reads them as rows says why. Cost: reads
/// the headers.
bool is_image_array(const std::string& name);
/// A folder with train_data_batch_*.npz in it.
bool is_image_batches(const std::filesystem::path& path);

/// Images of such a file, or of a folder with the names of ImageNet32 and ImageNet64:
/// train_data_batch_*.npz, and val_data.npz, which is the test.
///
/// Throws     IoError: as NpyFile; another number of labels than of images; labels that are no classes;
///            batches of two sizes.
/// Memory     the images, and a block of 64 MiB or a batch of the folder.
ImageData read_image_arrays(const std::filesystem::path& path);

}  // namespace contraflow::data::images
