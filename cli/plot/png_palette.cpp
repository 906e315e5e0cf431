#include "cli/plot/png_palette.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <unordered_map>

namespace contraflow::plot {
namespace {

constexpr size_t kPaletteSize = 256;

int channel(uint32_t color, int shift) { return static_cast<int>((color >> shift) & 0xFFU); }

/// Largest difference of a channel.
int color_distance(uint32_t a, uint32_t b) {
  int largest = 0;
  for (const int shift : {0, 8, 16}) {
    largest = std::max(largest, std::abs(channel(a, shift) - channel(b, shift)));
  }
  return largest;
}

double brightness_of(uint32_t color) {
  return 0.30 * channel(color, 16) + 0.59 * channel(color, 8) + 0.11 * channel(color, 0);
}

/// All colours, frequent ones first, and how many of them are so frequent that they stay exact.
struct Counted {
  std::vector<uint32_t> colors = {};
  size_t exact = 0;
};

Counted by_frequency(std::span<const uint32_t> pixels) {
  std::unordered_map<uint32_t, int64_t> count;
  uint32_t last = 0;
  int64_t* of_last = nullptr;
  for (const uint32_t pixel : pixels) {
    // Neighbours are mostly alike: no look-up for those.
    if (of_last == nullptr || pixel != last) of_last = &count[last = pixel];
    ++*of_last;
  }
  std::vector<std::pair<int64_t, uint32_t>> order;
  for (const auto& [color, times] : count) order.emplace_back(-times, color);
  std::sort(order.begin(), order.end());
  constexpr int64_t kFrequent = 500;  // one pixel in so many
  Counted counted;
  for (const auto& [times, color] : order) {
    counted.colors.push_back(color);
    if (-times * kFrequent >= static_cast<int64_t>(pixels.size())) ++counted.exact;
  }
  return counted;
}

/// Colours of which one is within `tolerance` of each that was counted, and is that itself if it is
/// frequent; nothing if they are too many.
std::optional<std::vector<uint32_t>> covering(const Counted& counted, int tolerance) {
  std::vector<uint32_t> chosen;
  for (size_t k = 0; k < counted.colors.size(); ++k) {
    const uint32_t color = counted.colors[k];
    const bool covered = std::any_of(chosen.begin(), chosen.end(), [&](uint32_t other) {
      return color_distance(color, other) <= tolerance;
    });
    if (covered && k >= counted.exact) continue;
    if (chosen.size() == kPaletteSize) return std::nullopt;
    chosen.push_back(color);
  }
  return chosen;
}

Palette indexed(std::span<const uint32_t> pixels, const std::vector<uint32_t>& all,
                std::vector<uint32_t> chosen) {
  // Neighbouring shades get neighbouring numbers, which compresses better.
  std::sort(chosen.begin(), chosen.end(), [](uint32_t a, uint32_t b) {
    const double first = brightness_of(a), second = brightness_of(b);
    return first != second ? first < second : a < b;
  });
  std::unordered_map<uint32_t, uint8_t> number;
  for (const uint32_t color : all) {
    const auto nearest =
        std::min_element(chosen.begin(), chosen.end(), [&](uint32_t a, uint32_t b) {
          return color_distance(a, color) < color_distance(b, color);
        });
    number[color] = static_cast<uint8_t>(nearest - chosen.begin());
  }
  Palette palette{std::move(chosen), {}};
  palette.index.reserve(pixels.size());
  for (const uint32_t pixel : pixels) palette.index.push_back(number[pixel]);
  return palette;
}

}  // namespace

std::optional<Palette> palette_of(std::span<const uint32_t> pixels) {
  const Counted counted = by_frequency(pixels);
  for (const int tolerance : {0, 2, 4, 6}) {
    if (tolerance == 0 && counted.colors.size() > kPaletteSize) continue;
    if (auto chosen = covering(counted, tolerance)) {
      return indexed(pixels, counted.colors, std::move(*chosen));
    }
  }
  return std::nullopt;
}

}  // namespace contraflow::plot
