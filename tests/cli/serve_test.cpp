// The example program that serves a run gives the numbers of 'contraflow score', bit for bit.
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

TEST(CliServe, FourThreadsGiveTheBitsOfScore) {
  TempFolder folder;
  const std::string rows = (folder / "rows.csv").string(), out = (folder / "s.csv").string();
  const std::string served = (folder / "served").string();
  EXPECT_EQ(run({"sample", moons_run().string(), "-n", "500", "-o", rows}).code, 0);
  EXPECT_EQ(run({"score", moons_run().string(), rows, "-o", out}).code, 0);
  const std::string command =
      std::string(CONTRAFLOW_SERVE) + " " + moons_run().string() + " " + rows + " > " + served;
  ASSERT_EQ(std::system(command.c_str()), 0);
  const auto scores = lines_of(read_bytes(out)), got = lines_of(read_bytes(served));
  ASSERT_EQ(scores.size(), 501);  // with the names of the columns
  ASSERT_EQ(got.size(), 500);
  for (size_t k = 0; k < got.size(); ++k)
    EXPECT_EQ(std::strtod(scores[k + 1].c_str(), nullptr), std::strtod(got[k].c_str(), nullptr));
}

}  // namespace
}  // namespace contraflow::testing
