#include <ATen/Context.h>

#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

TEST(CliDevice, CpuAndAutoGiveTheNumbers) {
  const auto nll = [](const char* device) {
    return run({"evaluate", moons_run().string(), "--device", device, "--json"})
        .json()["nll_nats"]["mean"]
        .get<double>();
  };
  EXPECT_NEAR(nll("auto"), nll("cpu"), 1e-9);
}

TEST(CliDevice, ACardThatIsNotThereIsAnError) {
  if (at::hasCUDA()) GTEST_SKIP() << "there is a card";
  TempFolder folder;
  const std::string run_folder = moons_run().string(), out = (folder / "x.csv").string();
  const std::vector<std::string> device{"--device", "cuda"};
  expect_error(run(std::vector<std::string>{"evaluate", run_folder} + device), 2, {"--device"});
  expect_error(run(std::vector<std::string>{"compare", run_folder, run_folder} + device), 2,
               {"--device"});
  expect_error(
      run(std::vector<std::string>{"score", run_folder, "--split", "test", "-o", out} + device), 2,
      {"--device"});
  expect_error(run(std::vector<std::string>{"sample", run_folder, "-n", "5", "-o", out} + device),
               2, {"--device"});
  expect_error(run(std::vector<std::string>{"plot", run_folder} + device), 2, {"--device"});
  expect_error(
      run(std::vector<std::string>{"train", "--data", "moons", "--out", (folder / "run").string()} +
          tiny() + device),
      2, {"device"});
  EXPECT_EQ(folder.count(), 0);
}

}  // namespace
}  // namespace contraflow::testing
