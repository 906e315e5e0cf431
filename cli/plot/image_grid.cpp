#include "cli/plot/image_grid.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "cli/plot/panel.h"
#include "contraflow/core/error.h"

namespace contraflow::plot {
namespace {

constexpr const char* kPlotImageGrid = "plot.image_grid";
constexpr double kCellSide = 44.0;
constexpr double kCellGap = 4.0;
constexpr double kBlockGap = 34.0;
constexpr double kBlockPadding = 8.0;
constexpr double kLargestCells = 4096.0;
/// Told apart from every grey of an image by its hue.
constexpr Color kMissingPixel{0.72, 0.66, 0.78};

int64_t image_size(const ImageGrid& grid) { return grid.channels * grid.rows * grid.cols; }

int64_t image_count(const ImageGrid& grid, const ImageSet& set) {
  return static_cast<int64_t>(set.pixels.size()) / image_size(grid);
}

void check_shape(const ImageGrid& grid) {
  const bool sides = std::min({grid.rows, grid.cols, grid.per_row, grid.blocks_per_line}) >= 1 &&
                     std::max({grid.rows, grid.cols, grid.per_row}) <= 1024;
  if (sides && (grid.channels == 1 || grid.channels == 3)) return;
  fail<DomainError>(kPlotImageGrid, "shape", "1 or 3 channels; rows, cols and per_row in 1..1024",
                    std::to_string(grid.channels) + " channels, " + std::to_string(grid.rows) +
                        " x " + std::to_string(grid.cols) + ", per_row " +
                        std::to_string(grid.per_row),
                    "Pass the shape of one image");
}

void check_sets(const ImageGrid& grid) {
  if (grid.sets.empty()) {
    fail<DomainError>(kPlotImageGrid, "sets", "at least one set of images", "none",
                      "Pass some images");
  }
  for (const ImageSet& set : grid.sets) {
    const auto size = static_cast<size_t>(image_size(grid));
    const bool whole = !set.pixels.empty() && set.pixels.size() % size == 0;
    if (whole && static_cast<double>(image_count(grid, set)) <= kLargestCells) continue;
    fail<DomainError>(kPlotImageGrid, set.caption.empty() ? "pixels" : set.caption,
                      "1 to 4096 images of " + std::to_string(size) + " values",
                      std::to_string(set.pixels.size()) + " values",
                      "Pass whole images, and a selection if there are many");
  }
}

/// Size of one image on the page: whole device pixels per image pixel where they are few.
Point cell_size(const ImageGrid& grid) {
  const double longest = static_cast<double>(std::max(grid.rows, grid.cols));
  const double per_pixel = std::max(0.5, std::round(2.0 * kCellSide / longest) / 2.0);
  return {per_pixel * static_cast<double>(grid.cols), per_pixel * static_cast<double>(grid.rows)};
}

Point block_size(const ImageGrid& grid, const ImageSet& set) {
  const Point cell = cell_size(grid);
  const int64_t count = image_count(grid, set);
  const double rows = std::ceil(static_cast<double>(count) / static_cast<double>(grid.per_row));
  const double cols = static_cast<double>(std::min(count, grid.per_row));
  return {cols * (cell.x + kCellGap) - kCellGap + 2.0 * kBlockPadding,
          rows * (cell.y + kCellGap) - kCellGap + 2.0 * kBlockPadding};
}

uint32_t pixel_color(const ImageGrid& grid, const double* image, int64_t at) {
  const int64_t plane = grid.rows * grid.cols;
  const double first = image[at];
  const double second = grid.channels == 3 ? image[plane + at] : first;
  const double third = grid.channels == 3 ? image[2 * plane + at] : first;
  if (std::isnan(first) || std::isnan(second) || std::isnan(third)) return pack_rgb(kMissingPixel);
  if (grid.channels == 1 && grid.grey == GreyScale::kOneIsInk) {
    return pack_rgb(mix({1.0, 1.0, 1.0}, theme::kInk, std::clamp(first, 0.0, 1.0)));
  }
  return pack_rgb({first, second, third});
}

void draw_set(Canvas& canvas, Point corner, const ImageGrid& grid, const ImageSet& set) {
  const Point size = block_size(grid, set);
  const Panel block({corner.x, corner.y, size.x, size.y}, {}, {});
  canvas.fill(block.area(), theme::kGrid);
  block.draw_title(canvas, set.caption, set.note);
  const Point cell = cell_size(grid);
  Pixels pixels{grid.cols, grid.rows, {}};
  for (int64_t k = 0; k < image_count(grid, set); ++k) {
    const double* image = set.pixels.data() + k * image_size(grid);
    pixels.rgb.clear();
    for (int64_t at = 0; at < grid.rows * grid.cols; ++at) {
      pixels.rgb.push_back(pixel_color(grid, image, at));
    }
    const auto row = static_cast<double>(k / grid.per_row);
    const auto col = static_cast<double>(k % grid.per_row);
    canvas.image({corner.x + kBlockPadding + col * (cell.x + kCellGap),
                  corner.y + kBlockPadding + row * (cell.y + kCellGap), cell.x, cell.y},
                 pixels);
  }
}

/// Upper left corners of the blocks; the last entry is the lower right end of all.
std::vector<Point> place_blocks(const ImageGrid& grid, double top) {
  std::vector<Point> corners;
  Point end{0.0, top};
  Point next{theme::kMargin, top};
  for (size_t i = 0; i < grid.sets.size(); ++i) {
    const bool first = i % static_cast<size_t>(grid.blocks_per_line) == 0;
    if (first) next = {theme::kMargin, end.y + (i == 0 ? 0.0 : kBlockGap) + kPanelTitleSpace};
    corners.push_back(next);
    const Point size = block_size(grid, grid.sets[i]);
    end = {std::max(end.x, next.x + size.x), std::max(end.y, next.y + size.y)};
    next.x += size.x + kBlockGap;
  }
  corners.push_back(end);
  return corners;
}

}  // namespace

void draw_image_grid(const ImageGrid& grid, const std::filesystem::path& path) {
  check_shape(grid);
  check_sets(grid);
  const std::vector<Point> corners = place_blocks(grid, heading_bottom(grid.title, grid.subtitle));
  Canvas canvas(std::max(corners.back().x + theme::kMargin, 220.0),
                corners.back().y + theme::kMargin);
  draw_heading(canvas, grid.title, grid.subtitle);
  for (size_t i = 0; i < grid.sets.size(); ++i) draw_set(canvas, corners[i], grid, grid.sets[i]);
  canvas.write_png(path);
}

}  // namespace contraflow::plot
