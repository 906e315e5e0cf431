#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <string>

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
