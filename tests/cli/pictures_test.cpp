// Pictures of tables: what is chosen, what is left out, and that it is said.
#include <cmath>
#include <fstream>

#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// Nine columns, of which one has a name that no font can draw.
std::string wide_table(const TempFolder& folder) {
  std::string text = "a,b,c,d,e,f,g,h,\U000F1234\n";
  for (int row = 0; row < 300; ++row) {
    for (int k = 0; k < 9; ++k) {
      text +=
          (k == 0 ? "" : ",") + std::to_string(std::sin(1.0 + row * (k + 1.37)) + 0.01 * row * k);
    }
    text += "\n";
  }
  std::ofstream(folder / "wide.csv") << text;
  return (folder / "wide.csv").string();
}

TEST(CliPlot, ColumnsAreChosenAndWhatIsLeftOutIsSaid) {
  TempFolder folder;
  const std::string out = (folder / "run").string();
  const std::string file = wide_table(folder);
  const Ran trained = run(std::vector<std::string>{"train", "--data", file, "--out", out} + tiny());
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Ran all = run({"plot", out, "--samples", "50"});
  ASSERT_EQ(all.code, 0) << all.err;
  EXPECT_THAT(all.err, HasSubstr("pairs.png shows 8 of 9 columns: a, b, c, d, e, f, g, h;"));
  EXPECT_THAT(all.err, HasSubstr("'column 9'"));
  EXPECT_TRUE(fs::exists(folder / "run" / "maps.png"));
  const Ran some = run({"plot", out, "--kind", "pairs", "--columns", "b,h", "--samples", "50"});
  EXPECT_EQ(some.code, 0) << some.err;
  EXPECT_THAT(some.err, ::testing::Not(HasSubstr("shows")));
  expect_error(run({"plot", out, "--columns", "aa"}), 2, {"--columns", "Did you mean 'a'?"});
  expect_error(run({"plot", out, "--kind", "pairs", "--columns", "a"}), 2, {"two columns"});
}

TEST(CliPlot, WithoutTheTableTheModelAloneIsDrawn) {
  TempFolder folder;
  const std::string out = (folder / "run").string();
  const std::string file = wide_table(folder);
  ASSERT_EQ(run(std::vector<std::string>{"train", "--data", file, "--out", out} + tiny()).code, 0);
  fs::remove(file);
  const Ran plotted = run({"plot", out, "--samples", "50"});
  ASSERT_EQ(plotted.code, 0) << plotted.err;
  EXPECT_THAT(plotted.err, HasSubstr("the model alone, without its data"));
  for (const char* name : {"curves.png", "marginals.png", "pairs.png", "maps.png"}) {
    EXPECT_TRUE(fs::exists(folder / "run" / name)) << name;
  }
  const Ran curves = run({"plot", out, "--kind", "curves"});
  EXPECT_EQ(curves.code, 0);
  EXPECT_THAT(curves.err, ::testing::Not(HasSubstr("data"))) << "they need none";
}

}  // namespace
}  // namespace contraflow::testing
