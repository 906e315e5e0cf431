#include "contraflow/data/images/image_source.h"

#include <ATen/ATen.h>

#include <utility>

namespace contraflow::data::images {

// float64 holds every number of a row.
ImageSource::ImageSource(const std::string& name, ImageRows images, const at::Tensor& rows,
                         const Rng& rng)
    : images_(std::move(images)),
      numbers_(name, rows.to(at::kDouble).unsqueeze(1), {}, {}, rng, at::kDouble) {}

Batch ImageSource::do_batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const {
  return images_of(numbers_.batch(step, batch_size, begin, end));
}

Batch ImageSource::do_rows(int64_t begin, int64_t end) const {
  return images_of(numbers_.rows(begin, end));
}

Batch ImageSource::images_of(const Batch& numbers) const {
  const at::Tensor chosen = numbers.x.squeeze(1).to(at::kLong);
  std::vector<int64_t> shape{chosen.size(0)};
  shape.insert(shape.end(), images_.event.begin(), images_.event.end());
  Batch out;
  out.first_row = numbers.first_row;
  at::Tensor pixels = images_.pixels.index_select(0, chosen).view(shape);
  if (images_.dropped_bits > 0) pixels = pixels.bitwise_right_shift(images_.dropped_bits);
  out.x = pixels.to(images_.dtype);
  if (images_.classes.defined()) {
    const at::Tensor classes = images_.classes.index_select(0, chosen);
    out.condition = at::one_hot(classes, images_.class_count).to(images_.dtype);
  }
  return out;
}

}  // namespace contraflow::data::images
