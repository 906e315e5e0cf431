#pragma once

#include <filesystem>

#include "contraflow/data/images/image_set.h"

namespace contraflow::data::images {

/// The name ends in .bin or .bin.gz.
bool is_cifar_file(const std::filesystem::path& path);
/// A folder with data_batch_*.bin or train.bin in it, each also .gz.
bool is_cifar_folder(const std::filesystem::path& path);

/// Images 3 x 32 x 32 in the binary layout of CIFAR-10 (records of a label and 3,072 bytes, the red, green
/// and blue planes after each other) or CIFAR-100 (two labels: the one of 20 classes, "coarse_label", and
/// the one of 100, "label"). Of a folder, data_batch_*.bin or train.bin are to train on and
/// test_batch.bin or test.bin are the test.
///
/// Throws     IoError: a size that is no number of records; a label out of range, with its place; batches
///            of both layouts in one folder. Where records of both sizes fit, the name decides:
///            train.bin and test.bin are CIFAR-100.
/// Source     https://www.cs.toronto.edu/~kriz/cifar.html
ImageData read_cifar(const std::filesystem::path& path);

}  // namespace contraflow::data::images
