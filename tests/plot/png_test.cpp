#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <string>

#include "cli/plot/png_palette.h"
#include "contraflow/core/error.h"
#include "tests/plot/picture.h"

namespace contraflow::plot {
namespace {

using ::testing::HasSubstr;
using testing::Picture;
using testing::TempFolder;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int big_endian(const std::string& bytes, size_t at) {
  int value = 0;
  for (size_t i = at; i < at + 4; ++i) value = value * 256 + static_cast<unsigned char>(bytes[i]);
  return value;
}

TEST(Png, HasSignatureAndTwoPixelsPerPoint) {
  const TempFolder folder;
  Canvas(120.0, 75.0).write_png(folder / "a.png");
  const std::string bytes = read(folder / "a.png");
  ASSERT_GT(bytes.size(), 24U);
  EXPECT_EQ(bytes.substr(0, 8), "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(big_endian(bytes, 16), 240);
  EXPECT_EQ(big_endian(bytes, 20), 150);
  EXPECT_EQ(Picture(folder / "a.png").count(theme::kPaper), 240 * 150);
}

TEST(Png, SamePictureGivesTheSameBytes) {
  const TempFolder folder;
  for (const char* name : {"a.png", "b.png"}) {
    Canvas canvas(80.0, 40.0);
    canvas.text({10.0, 20.0}, "loss", {});
    canvas.write_png(folder / name);
  }
  EXPECT_EQ(read(folder / "a.png"), read(folder / "b.png"));
}

/// Shades around two frequent colours, as thin lines make them.
std::vector<uint32_t> shaded(size_t shades) {
  std::vector<uint32_t> pixels(200'000, 0xFDFDFCU);
  pixels.insert(pixels.end(), 100'000, 0xF7F7F8U);
  for (size_t k = 0; k < shades; ++k) {
    const size_t level = 20 + k % 150;
    pixels.push_back(
        static_cast<uint32_t>(level << 16 | (level + k / 150 % 4) << 8 | (level + k / 600 % 4)));
  }
  return pixels;
}

TEST(Palette, FewColoursStayExact) {
  const std::vector<uint32_t> pixels = shaded(200);
  const std::optional<Palette> palette = palette_of(pixels);
  ASSERT_TRUE(palette);
  for (size_t i = 0; i < pixels.size(); ++i) {
    ASSERT_EQ(palette->colors[palette->index[i]], pixels[i]) << i;
  }
}

TEST(Palette, OfManyColoursTheFrequentStayExactAndOthersNear) {
  const std::vector<uint32_t> pixels = shaded(2000);
  const std::optional<Palette> palette = palette_of(pixels);
  ASSERT_TRUE(palette);
  EXPECT_LE(palette->colors.size(), 256U);
  for (size_t i = 0; i < pixels.size(); ++i) {
    const uint32_t got = palette->colors[palette->index[i]];
    if (i < 300'000) {
      ASSERT_EQ(got, pixels[i]) << "paper and panel differ by 6 only";
    }
    for (const int shift : {0, 8, 16}) {
      const int a = static_cast<int>(got >> shift & 0xFFU);
      const int b = static_cast<int>(pixels[i] >> shift & 0xFFU);
      ASSERT_LE(std::abs(a - b), 6) << i;
    }
  }
}

TEST(Palette, ThereIsNoneForAPhotograph) {
  std::vector<uint32_t> pixels;
  for (uint32_t k = 0; k < 60'000; ++k) pixels.push_back(k * 2654435761U & 0xFFFFFFU);
  EXPECT_FALSE(palette_of(pixels));
}

TEST(Png, PicturesWithAndWithoutAPaletteReadBack) {
  const TempFolder folder;
  Pixels photograph{.width = 200, .height = 200, .rgb = {}};
  for (uint32_t k = 0; k < 40'000; ++k) photograph.rgb.push_back(k * 2654435761U & 0xFFFFFFU);
  Canvas canvas(100.0, 100.0);
  canvas.image({0.0, 0.0, 100.0, 100.0}, photograph);
  canvas.write_png(folder / "photograph.png");
  const Picture read_back(folder / "photograph.png");
  for (int k = 0; k < 40'000; k += 371) {
    EXPECT_EQ(read_back.at(k % 200, k / 200), photograph.rgb[static_cast<size_t>(k)]);
  }
  EXPECT_EQ(read(folder / "photograph.png")[25], '\x02');
  Canvas(100.0, 100.0).write_png(folder / "paper.png");
  EXPECT_EQ(read(folder / "paper.png")[25], '\x03') << "with a palette";
  EXPECT_LT(read(folder / "paper.png").size(), 400U);
}

TEST(Png, UnwritablePathIsAnIoErrorThatNamesIt) {
  const TempFolder folder;
  const std::filesystem::path path = folder.path() / "missing" / "a.png";
  try {
    Canvas(10.0, 10.0).write_png(path);
    FAIL() << "no exception";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr(path.string()));
  }
}

TEST(Png, FailedWriteLeavesNothingBehind) {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "a.png");
  EXPECT_THROW(Canvas(10.0, 10.0).write_png(folder / "a.png"), IoError);
  int entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    ++entries;
  }
  EXPECT_EQ(entries, 1);
}

TEST(Canvas, RejectsSizesItCannotHold) {
  EXPECT_THROW(Canvas(0.0, 10.0), DomainError);
  EXPECT_THROW(Canvas(10.0, 1e9), DomainError);
  EXPECT_THROW(Canvas(std::nan(""), 10.0), DomainError);
}

TEST(Canvas, PolylineBreaksAtMissingPoints) {
  const Picture picture = testing::drawn([](const auto& path) {
    Canvas canvas(100.0, 20.0);
    canvas.polyline(std::array<Point, 5>{Point{5, 10}, Point{35, 10}, Point{50, std::nan("")},
                                         Point{65, 10}, Point{95, 10}},
                    {.color = {0, 0, 0}, .width = 4.0});
    canvas.write_png(path);
  });
  EXPECT_EQ(picture.at(40, 20), 0U);
  EXPECT_EQ(picture.at(160, 20), 0U);
  EXPECT_EQ(picture.at(100, 20), pack_rgb(theme::kPaper));
}

TEST(Canvas, FarPointsDoNotWrapAround) {
  const Picture picture = testing::drawn([](const auto& path) {
    Canvas canvas(100.0, 20.0);
    canvas.line({50.0, 10.0}, {1e12, 10.0}, {.color = {0, 0, 0}, .width = 4.0});
    canvas.write_png(path);
  });
  EXPECT_EQ(picture.at(190, 20), 0U);
  EXPECT_EQ(picture.at(10, 20), pack_rgb(theme::kPaper));
}

TEST(Colors, MapsRiseInLightness) {
  for (const ColorMap* map : {&density_colors(), &line_colors()}) {
    double last = -1.0;
    for (int i = 0; i <= 20; ++i) {
      const Color c = (*map)(i / 20.0);
      const double luma = 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b;
      EXPECT_GT(luma, last) << i;
      last = luma;
    }
  }
  EXPECT_EQ(pack_rgb(density_colors()(-3.0)), pack_rgb(density_colors()(0.0)));
}

TEST(Colors, AngleMapIsCyclic) {
  EXPECT_EQ(pack_rgb(angle_colors()(0.0)), pack_rgb(angle_colors()(1.0)));
}

TEST(Colors, OklchKnowsWhiteBlackAndGrey) {
  EXPECT_EQ(pack_rgb(oklch(1.0, 0.0, 0.0)), 0xFFFFFFU);
  EXPECT_EQ(pack_rgb(oklch(0.0, 0.0, 0.0)), 0x000000U);
  // sRGB red in OKLCh, from the definition of the space.
  EXPECT_EQ(pack_rgb(oklch(0.62796, 0.25768, 29.234)) >> 16, 0xFFU);
}

}  // namespace
}  // namespace contraflow::plot
