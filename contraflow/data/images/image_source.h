#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/rng.h"
#include "contraflow/data/source.h"
#include "contraflow/data/sources.h"

namespace contraflow::data::images {

/// What the sources of one set of images share.
struct ImageRows {
  at::Tensor pixels;                ///< uint8 [N, C, H, W].
  std::vector<int64_t> event = {};  ///< Shape that one image gets.
  at::Tensor classes = {};          ///< int64 [N]; undefined = no condition.
  int64_t class_count = 0;          ///< Classes are below it.
  at::ScalarType dtype = at::kFloat;
  int64_t dropped_bits = 0;  ///< Lowest bits of a pixel that are left out.
};

/// Some of the images in memory, bytes that each batch converts. Several sources share one tensor.
///
/// Shapes     x: [B] + images.event.  condition: [B, class_count], one-hot, or undefined.  no weight.
/// Types      images.dtype.
/// Size       rows.size(0).
/// Random     as TensorSource: a permutation of the rows in each epoch, by `rng`.
/// Threads    const members may run concurrently.
/// Throws     see Source.
/// Example    ImageSource source("train", images, at::arange(100), Rng(1));
class ImageSource final : public Source {
 public:
  /// `rows`: int64 [n], numbers of the images that the source has, n >= 1.
  ImageSource(const std::string& name, ImageRows images, const at::Tensor& rows, const Rng& rng);

  std::optional<int64_t> size() const override { return numbers_.size(); }
  std::vector<int64_t> event_shape() const override { return images_.event; }
  std::string name() const override { return numbers_.name(); }

 private:
  Batch do_batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const override;
  Batch do_rows(int64_t begin, int64_t end) const override;
  Batch images_of(const Batch& numbers) const;

  ImageRows images_;
  TensorSource numbers_;  // gives the order: its rows are the numbers of the images
};

}  // namespace contraflow::data::images
