#pragma once

#include "contraflow/data/dataset.h"
#include "contraflow/data/images/image_set.h"

namespace contraflow::data::images {

/// Data that are images: columns, parts and identity.
///
/// Shapes     events [C, H, W], or rows [C H W] with options.flatten, whose columns are named pixel_R_C,
///            pixel_CHANNEL_R_C where there are several channels.
/// Types      images stay bytes in memory; batches have `dtype`. Training batches are read ahead.
/// Splits     data.test is the test where there is one, else a part of the images; the validation is a part
///            of the others. An image falls by its pixels and options.seed, copies into one part.
/// Throws     as open_data(). ConfigError: a label that the images lack; sizes of a test that is given.
///            ShapeError: fewer than two images. IoError: test images of another size.
/// Cost       two passes over the pixels.
Dataset image_dataset(const ImageData& data, const DataOptions& options, at::ScalarType dtype,
                      const KnownData* known);

}  // namespace contraflow::data::images
