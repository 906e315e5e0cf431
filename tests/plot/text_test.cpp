#include <gtest/gtest.h>

#include <string>

#include "cli/plot/canvas.h"
#include "cli/plot/panel.h"
#include "tests/plot/picture.h"

namespace contraflow::plot {
namespace {

TEST(Printable, KeepsUtf8AndReplacesTheRest) {
  EXPECT_EQ(printable("x₁ − ß 😀"), "x₁ − ß 😀");
  EXPECT_EQ(printable("a\tb\nc"), "a b c");
  EXPECT_EQ(printable("Stra\xDF"
                      "e"),
            "Stra\uFFFDe");
  EXPECT_EQ(printable("\xC0\xAF"), "\uFFFD\uFFFD") << "overlong";
  EXPECT_EQ(printable("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD") << "surrogate";
  EXPECT_EQ(printable("\xE2\x82"), "\uFFFD\uFFFD") << "cut short";
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a b");
}

TEST(Ellipsized, FitsAndKeepsWholeCharacters) {
  const TextStyle style;
  EXPECT_EQ(ellipsized("short", style, 500.0), "short");
  const std::string greek = "αβγδεζηθικλμνξοπρστυφχψω";
  for (double width = 12.0; width < 120.0; width += 7.0) {
    const std::string shown = ellipsized(greek, style, width);
    EXPECT_LE(text_width(shown, style), width);
    EXPECT_EQ(printable(shown), shown);
    EXPECT_TRUE(shown.ends_with("…")) << shown;
  }
  EXPECT_EQ(ellipsized("anything", style, 0.0), "…");
}

TEST(ShortenedInside, KeepsTheEndThatTellsNamesApart) {
  const TextStyle style;
  const std::string first = shortened_inside("measurement_number_10", style, 90.0);
  EXPECT_TRUE(first.ends_with("r_10")) << first;
  EXPECT_LE(text_width(first, style), 90.0);
  EXPECT_NE(first, shortened_inside("measurement_number_11", style, 90.0));
  EXPECT_EQ(shortened_inside("short", style, 500.0), "short");
  EXPECT_EQ(shortened_inside("anything", style, 0.0), "…");
}

TEST(HasGlyphs, TellsWhatFontsHave) {
  EXPECT_TRUE(has_glyphs("price x₁ Größe αβγ"));
  // No font has characters for private use.
  EXPECT_FALSE(has_glyphs("\U000F1234"));
}

TEST(TextWidth, GrowsWithTextSizeAndWeight) {
  EXPECT_EQ(text_width("", {}), 0.0);
  EXPECT_GT(text_width("mm", {}), text_width("ii", {}));
  EXPECT_NEAR(text_width("loss", {.size = 22.0}), 2.0 * text_width("loss", {.size = 11.0}), 1e-6);
  EXPECT_GT(text_width("loss", {.bold = true}), text_width("loss", {}));
}

TEST(Legend, WrapsRatherThanOverflow) {
  const std::vector<LegendEntry> entries(6, {"a name of some length", theme::kInk});
  EXPECT_EQ(legend_height({}, 300.0), 0.0);
  const double one_row = legend_height(entries, 5000.0);
  EXPECT_NEAR(legend_height(entries, 100.0), 6.0 * one_row, 1e-9);
  const testing::Picture picture = testing::drawn([&](const auto& path) {
    Canvas canvas(280.0, 200.0);
    draw_legend(canvas, {20.0, 20.0}, 240.0, entries);
    canvas.write_png(path);
  });
  EXPECT_EQ(picture.marks_at_border(30), 0);
}

}  // namespace
}  // namespace contraflow::plot
