// Trains a small flow in the folder named by the first argument, going on from what is there, and
// writes one byte to standard output per step. kill_test.cpp kills it.
#include <unistd.h>

#include "tests/training/training_support.h"

namespace contraflow {
namespace {

int run(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::filesystem::path path = argv[1];
  const bool begun = std::filesystem::exists(path / "config.toml");
  const RunFolder folder(path, begun ? RunMode::kResume : RunMode::kNew, "");
  TrainingOptions options = contraflow::testing::small_options();
  options.steps = 400;
  options.validate_every = 7;
  options.checkpoint_every = 2;
  options.log_every = 1;
  options.threads = 1;
  TrainerHooks hooks;
  hooks.on_step = [](const MetricsRecord&) {
    if (::write(STDOUT_FILENO, ".", 1) != 1) ::_exit(1);
  };
  fit_in_folder(*contraflow::testing::small_flow(), contraflow::testing::small_splits(), options,
                folder, hooks);
  return 0;
}

}  // namespace
}  // namespace contraflow

int main(int argc, char** argv) { return contraflow::run(argc, argv); }
