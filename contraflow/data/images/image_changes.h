#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "contraflow/data/augment.h"

namespace contraflow::data::images {

/// What happens to a training image, anew in every step.
struct ImageChanges {
  bool flip = false;         ///< With probability 1/2 left and right change places.
  int64_t crop_padding = 0;  ///< It moves by -crop_padding ... crop_padding pixels along each axis.

  bool any() const { return flip || crop_padding > 0; }
};

/// "flipped in half of the cases", ...: for notes.
std::vector<std::string> change_words(const ImageChanges& changes);

/// ConfigError where an image is too small to be mirrored at its border.
void check_crop(const ImageChanges& changes, const std::vector<int64_t>& image);

/// The changes as a function of batches [B, C, H, W].
///
/// Crop       a window of the image's size in the image with crop_padding pixels mirrored around it, all
///            places as likely: "random crop 32, padding 4, reflect" of a 32 x 32 image. Mirrored without
///            the border itself: pixel -1 is pixel 1.
/// Random     row r draws as sample rng.first_row() + r.
/// Threads    the function may be called concurrently.
/// Example    augment(train, image_changes({.flip = true}), Rng(seed));
Augmentation image_changes(const ImageChanges& changes);

}  // namespace contraflow::data::images
