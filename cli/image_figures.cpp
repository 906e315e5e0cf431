#include "cli/image_figures.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "cli/figure_data.h"
#include "cli/plot/image_grid.h"
#include "contraflow/core/text.h"
#include "contraflow/evaluation/samples.h"

namespace contraflow::cli {
namespace {

// Levels 0 .. levels - 1 become 0 .. 1, however many there are.
std::vector<double> pixels_of(const at::Tensor& images, int64_t levels) {
  return points_of(images / static_cast<double>(std::max<int64_t>(1, levels - 1)));
}

// Writing has most of its pixels near 0, which paper is; a photograph has few there.
plot::GreyScale grey_scale(const at::Tensor& images, int64_t levels) {
  const double dark = 0.25 * static_cast<double>(levels - 1);
  const bool writing = images.lt(dark).to(at::kDouble).mean().item<double>() > 0.5;
  return writing ? plot::GreyScale::kOneIsInk : plot::GreyScale::kOneIsWhite;
}

plot::ImageGrid grid_of(const data::Columns& columns, const std::string& title,
                        const at::Tensor& images) {
  return {.title = title,
          .rows = columns.image[1],
          .cols = columns.image[2],
          .channels = columns.image[0],
          .grey = grey_scale(images, columns.levels)};
}

// Where two images differ: from a third of the ink for one level on, so that it is seen.
at::Tensor visible_difference(const at::Tensor& a, const at::Tensor& b, int64_t levels) {
  constexpr double kLeast = 1.0 / 3.0;
  const at::Tensor size = (a - b).abs() / static_cast<double>(std::max<int64_t>(1, levels - 1));
  return at::where(size.gt(0), size * (1.0 - kLeast) + kLeast, at::zeros_like(size));
}

// As many columns as make a block of a few images no wider than it must be.
int64_t columns_for(int64_t images) {
  int64_t side = 1;
  while (side * side < images) ++side;
  return std::clamp<int64_t>(side, 1, 32);
}

}  // namespace

void draw_images(const FigureInput& input, const std::filesystem::path& path) {
  constexpr int64_t kImages = 64;
  const int64_t levels = input.columns.levels;
  const at::Tensor data = figure_rows(input, kImages);
  const at::Tensor samples = draw_samples(input.flow, kImages, figure_rng(), input.given);
  plot::ImageGrid grid = grid_of(input.columns, input.title, data.defined() ? data : samples);
  if (data.defined()) grid.sets.push_back({.caption = "data", .pixels = pixels_of(data, levels)});
  grid.sets.push_back({.caption = "model samples", .pixels = pixels_of(samples, levels)});
  plot::draw_image_grid(grid, path);
}

void draw_image_samples(const at::Tensor& images, const data::Columns& columns,
                        const std::string& title, const std::filesystem::path& path) {
  plot::ImageGrid grid = grid_of(columns, title, images);
  grid.per_row = columns_for(images.size(0));
  grid.sets.push_back({.caption = "model samples", .pixels = pixels_of(images, columns.levels)});
  plot::draw_image_grid(grid, path);
}

void draw_reconstructions(const FigureInput& input, const std::filesystem::path& path) {
  constexpr int64_t kImages = 24, kPerRow = 4;
  const int64_t levels = input.columns.levels;
  const data::Source& source = figure_source(*input.dataset);
  const data::Batch batch = source.rows(0, std::min(kImages, source.size().value_or(kImages)));
  const at::Tensor x = batch.x.to(at::kDouble);
  const at::Tensor back =
      reconstructed(input.flow, batch, figure_rng()).round().clamp(0, levels - 1);
  const int64_t wrong = x.ne(back).sum().item<int64_t>();
  plot::ImageGrid grid = grid_of(input.columns, input.title, x);
  grid.subtitle = (wrong == 0 ? "none" : format_count(wrong)) + " of " + format_count(x.numel()) +
                  " values differ after the way to the latent and back";
  grid.per_row = kPerRow;
  grid.blocks_per_line = 3;
  grid.sets = {{.caption = "original", .pixels = pixels_of(x, levels)},
               {.caption = "reconstruction", .pixels = pixels_of(back, levels)}};
  if (wrong == 0) {  // a block of empty images would look like a mistake
    grid.sets.back().note = "no pixel differs";
  } else {
    grid.sets.push_back(
        {.caption = "difference", .pixels = points_of(visible_difference(x, back, levels))});
  }
  plot::draw_image_grid(grid, path);
}

}  // namespace contraflow::cli
