#pragma once

#include "contraflow/data/dataset.h"
#include "contraflow/data/images/image_set.h"

namespace contraflow::data::images {

/// Keys of [data] that say what becomes of images.
inline const std::vector<std::string> kImageKeys{"label", "flatten", "bits", "flip",
                                                 "crop_padding"};

/// Data that are images: columns, parts and identity.
///
/// Shapes     events [C, H, W], or rows [C H W] with options.flatten, whose columns are named pixel_R_C,
///            pixel_CHANNEL_R_C where there are several channels.
/// Levels     2^options.bits where that is set: pixel k becomes floor(k / 2^(8 - bits)).
/// Types      images stay bytes in memory; batches have `dtype`. Training batches are read ahead.
/// Splits     data.test is the test where there is one, else a part of the images; the validation is a part
///            of the others. An image falls by its pixels and options.seed, copies into one part.
/// Random     batches of the training change as options.flip and options.crop_padding say (image_changes.h),
///            by options.seed; all other rows never do.
/// Throws     as open_data(). ConfigError: a label that the images lack; sizes of a test that is given; bits
///            of images without 256 levels; changes of flat images.
///            ShapeError: fewer than two images. IoError: test images of another size.
/// Cost       two passes over the pixels.
Dataset image_dataset(const ImageData& data, const DataOptions& options, at::ScalarType dtype,
                      const KnownData* known);

}  // namespace contraflow::data::images
