#include "contraflow/data/images/image_changes.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/core/error.h"

namespace contraflow::data::images {
namespace {

at::Tensor flipped(const at::Tensor& x, const Rng& rng) {
  const at::Tensor u = rng.uniform({x.size(0), 1}, at::kDouble);
  return at::where(u.lt(0.5).view({-1, 1, 1, 1}), x.flip(3), x);
}

// Places [B, size] along an axis of a window that starts at -padding ... padding.
at::Tensor window(int64_t size, int64_t padding, const at::Tensor& u) {
  const auto places = static_cast<double>(2 * padding + 1);
  const at::Tensor start = (u * places).floor().clamp_max(places - 1.0).to(at::kLong) - padding;
  const at::Tensor place = (start.unsqueeze(1) + at::arange(size)).abs();
  return at::where(place.ge(size), 2 * (size - 1) - place, place);
}

at::Tensor cropped(const at::Tensor& x, int64_t padding, const Rng& rng) {
  const int64_t height = x.size(2), width = x.size(3);
  const at::Tensor u = rng.uniform({x.size(0), 2}, at::kDouble);
  const at::Tensor rows = window(height, padding, u.select(1, 0)).view({-1, 1, height, 1});
  const at::Tensor columns = window(width, padding, u.select(1, 1)).view({-1, 1, 1, width});
  return x.gather(2, rows.expand_as(x)).gather(3, columns.expand_as(x));
}

}  // namespace

std::vector<std::string> change_words(const ImageChanges& changes) {
  std::vector<std::string> out;
  if (changes.flip) out.emplace_back("flipped in half of the steps");
  if (changes.crop_padding > 0)
    out.push_back("moved by up to " + std::to_string(changes.crop_padding) + " pixels");
  return out;
}

void check_crop(const ImageChanges& changes, const std::vector<int64_t>& image) {
  const int64_t most = std::min(image[1], image[2]) - 1;
  if (changes.crop_padding <= most) return;
  fail<ConfigError>("data", "crop_padding",
                    "at most " + std::to_string(most) + ", one less than the image's shorter side",
                    std::to_string(changes.crop_padding), "Lower it.");
}

Augmentation image_changes(const ImageChanges& changes) {
  return [changes](Batch batch, const Rng& rng) {
    if (changes.crop_padding > 0)
      batch.x = cropped(batch.x, changes.crop_padding, rng.fork("crop"));
    if (changes.flip) batch.x = flipped(batch.x, rng.fork("flip"));
    return batch;
  };
}

}  // namespace contraflow::data::images
