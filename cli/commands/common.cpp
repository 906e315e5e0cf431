#include "cli/commands/common.h"

namespace contraflow::cli {

Command new_command(CLI::App& parent, const std::string& name, const std::string& summary,
                    const std::string& footer, bool computes) {
  Command command;
  command.common = std::make_shared<CommonArguments>();
  command.app = parent.add_subcommand(name, summary);
  command.app->footer(footer);
  command.app->add_flag("--json", command.common->json, "Print the result as one JSON object.");
  if (computes) {
    command.app
        ->add_option("--threads", command.common->threads,
                     "Threads of the computation; 0 = as many as LibTorch likes.")
        ->check(CLI::Range(0, 4096))
        ->capture_default_str();
  }
  return command;
}

void add_model_argument(CLI::App& app, std::string& path) {
  app.add_option("RUN", path, "Run folder, or a checkpoint file.")->required();
}

void add_dtype_option(CLI::App& app, FloatType& dtype) {
  add_choice(app, "--dtype", dtype,
             "Arithmetic. float64 certifies solves to their tolerance; float32 is faster.");
}

void add_split_option(CLI::App& app, std::string& split) {
  app.add_option("--split", split, "Rows of which part of the training's data.")
      ->check(CLI::IsMember({"test", "validation", "train"}))
      ->capture_default_str();
}

}  // namespace contraflow::cli
