#include <nlohmann/json.hpp>

#include "cli/commands/common.h"
#include "cli/figures.h"
#include "cli/training_run.h"
#include "contraflow/core/error.h"
#include "contraflow/core/estimate.h"
#include "contraflow/core/file.h"
#include "contraflow/core/log.h"
#include "contraflow/core/text.h"
#include "contraflow/core/toml.h"
#include "contraflow/models/model_registry.h"
#include "contraflow/runs/new_run_guard.h"
#include "contraflow/training/reverse_kl.h"
#include "contraflow/training/run_folder.h"

namespace contraflow::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kTrainExamples =
    "Examples:\n"
    "  contraflow train --data checkerboard                     a toy density, default model\n"
    "  contraflow train --data events.csv --model residual --out runs/events\n"
    "  contraflow train configs/digits.toml --set training.steps=500 --overwrite\n"
    "  contraflow train --data events.csv --set data.weight=w   rows count by their column w\n"
    "  contraflow train configs/energy-u1.toml                  reverse KL to exp(-U)/Z, no data\n"
    "  contraflow train --out runs/events --resume              go on where it stopped\n\n"
    "Without --out the folder is runs/ and the name of the config, or of data and model. A folder\n"
    "that holds a run is refused unless --resume or --overwrite is given. Ctrl-C finishes the "
    "step,\n"
    "saves, and exits with code 130.\n";

struct TrainArguments {
  std::string config, data, model, out, device;
  std::vector<std::string> set;
  bool resume = false;
  bool overwrite = false;
};

// ------------------------------------------------------------------------------- configuration

/// Every key a config may hold, with default, type, range and meaning.
std::string run_config_help() {
  std::string out;
  for (const OptionInfo& row : describe_run_config()) {
    out += "  " + row.path + " = " + row.default_value + "  (" + row.type;
    if (!row.range.empty()) out += ", " + row.range;
    out += ")\n      " + row.help;
    if (!row.condition.empty()) out += " Only for " + row.condition + ".";
    out += "\n";
  }
  return out;
}

fs::path folder_of(const TrainArguments& a) {
  if (!a.out.empty()) return a.out;
  if (!a.config.empty()) return fs::path("runs") / fs::path(a.config).stem();
  if (!a.data.empty()) {
    const std::string data = fs::path(a.data).stem().string();
    return fs::path("runs") / (data + "-" + (a.model.empty() ? models::kDefaultPreset : a.model));
  }
  fail<ConfigError>("train", "CONFIG", "a config file, --data, or --out with --resume", "none",
                    "For example: contraflow train --data checkerboard.");
}

Json read_config(const TrainArguments& a, const fs::path& folder) {
  constexpr int64_t kMostBytes = 1 << 20;
  if (!a.config.empty()) return parse_toml(read_file(a.config, kMostBytes), a.config);
  if (a.resume && a.data.empty() && a.model.empty()) {
    if (!RunFolder::holds_run(folder)) {
      fail<ConfigError>("train", folder.string(), "a folder with a run to resume", "none",
                        "Start the run without --resume.");
    }
    return parse_toml(RunFolder::read_config(folder), (folder / "config.toml").string());
  }
  if (a.data.empty()) {
    fail<ConfigError>("train", "--data", "a config file or the name of the data", "none",
                      "For example: contraflow train --data checkerboard.");
  }
  return Json::object();
}

Json& table(Json& json, const char* name) {
  if (!json.contains(name)) json[name] = Json::object();
  return json[name];
}

RunConfig resolve(const TrainArguments& a, const fs::path& folder, int64_t threads) {
  Json json = read_config(a, folder);
  if (!a.data.empty()) table(json, "data")["name"] = a.data;
  if (!a.model.empty()) table(json, "model")["preset"] = a.model;
  for (const std::string& assignment : a.set) apply_assignment(json, assignment);
  if (!a.device.empty()) table(json, "training")["device"] = a.device;
  if (threads > 0) table(json, "training")["threads"] = threads;
  return run_config_from_json(json, a.config.empty() ? "train" : a.config);
}

// ----------------------------------------------------------------------------------- the run

std::vector<fs::path> draw_pictures(const PreparedRun& run, const RunFolder& folder) {
  std::vector<fs::path> drawn;
  const auto draw = [&](const char* name, const auto& picture) {
    const fs::path path = folder.path() / name;
    try {
      picture(path);
      drawn.push_back(path);
    } catch (const Error& error) {  // the run is worth more than its picture
      log(LogLevel::kWarning, error.what());
    }
  };
  draw("curves.png", [&](const fs::path& path) {
    draw_run_curves(folder.metrics_path(), least_loss(run.config, run.columns),
                    title_of(run.dataset), path);
  });
  if (has_density_map(run.columns) && run.columns.condition_size() == 0) {
    draw("density.png", [&](const fs::path& path) {
      draw_density({*run.flow, run.columns, run.dataset, title_of(run.dataset), {}}, path);
    });
  }
  return drawn;
}

// ------------------------------------------------------------------------------------- results

Json loss_json(const Estimate& loss) {
  return {{"mean", json_number(loss.mean)},
          {"standard_error", json_number(loss.standard_error)},
          {"rows", loss.count}};
}

/// KL(flow, exp(-U)/Z) of a reverse-KL loss; none for other objectives.
std::optional<Estimate> reverse_kl_of(const TrainReport& report, const PreparedRun& run) {
  if (run.config.training.objective != ReverseKl::kName) return std::nullopt;
  std::optional<Estimate> out = report.best ? report.best->loss : report.loss;
  if (out) out->mean += log_normaliser(energy_of(run.config).value());
  return out;
}

Json report_json(const TrainReport& report, const PreparedRun& run, const RunFolder& folder,
                 const std::vector<fs::path>& pictures) {
  Json out{{"command", "train"},
           {"status", enum_name(report.status)},
           {"step", report.step},
           {"steps", run.config.training.steps},
           {"objective", run.config.training.objective},
           {"seconds", json_number(report.seconds)},
           {"steps_per_second", json_number(report.steps_per_second)},
           {"loss", report.loss ? loss_json(*report.loss) : Json()},
           {"validation", report.best ? loss_json(report.best->loss) : Json()},
           {"best_step", report.best ? Json(report.best->step) : Json()},
           {"weights", enum_name(report.weights)},
           {"folder", folder.path().string()},
           {"checkpoint", folder.checkpoint_path().string()},
           {"pictures", Json::array()}};
  if (const auto kl = reverse_kl_of(report, run)) out["reverse_kl"] = loss_json(*kl);
  for (const fs::path& picture : pictures) out["pictures"].push_back(picture.string());
  return out;
}

std::string bits(const Estimate& loss, const data::Columns& columns) {
  if (columns.levels == 0) return "";
  return "  (" + fixed(bits_per_dim(loss.mean, columns.dim()), 3) + " bits/dim)";
}

std::string report_text(const TrainReport& report, const PreparedRun& run, const RunFolder& folder,
                        const std::vector<fs::path>& pictures) {
  Facts facts;
  facts.add("status", std::string(enum_name(report.status)) + " after " +
                          format_count(report.step) + " of " +
                          format_count(run.config.training.steps) + " steps");
  facts.add("time", format_duration(report.seconds) + "  (" + fixed(report.steps_per_second, 1) +
                        " steps/s)");
  if (report.loss) {
    facts.add("last batch", with_error(*report.loss) + " nats" + bits(*report.loss, run.columns));
  }
  if (report.best) {
    const Estimate& best = report.best->loss;
    facts.add("validation", with_error(best) + " nats" + bits(best, run.columns) +
                                ", best, at step " + format_count(report.best->step));
  }
  const std::optional<LeastLoss> least = least_loss(run.config, run.columns);
  if (least) facts.add("least loss", fixed(least->nats) + " nats, the " + least->name);
  if (const auto kl = reverse_kl_of(report, run)) {
    facts.add("reverse KL", with_error(*kl) + " nats, to exp(-U)/Z");
  }
  facts.add("model holds", std::string(enum_name(report.weights)) + " weights");
  facts.add("run folder", folder.path().string());
  for (const fs::path& picture : pictures) facts.add("picture", picture.string());
  std::string out = facts.str();
  if (report.status == TrainStatus::kInterrupted) {
    out += "Go on with: contraflow train --out " + folder.path().string() + " --resume\n";
  }
  return out;
}

int run_train(const TrainArguments& a, int64_t threads, const Console& console) {
  const fs::path path = folder_of(a);
  const RunMode mode = a.resume      ? RunMode::kResume
                       : a.overwrite ? RunMode::kOverwrite
                                     : RunMode::kNew;
  PreparedRun run = prepare_run(resolve(a, path, threads));
  const bool existed = fs::exists(path);
  const RunFolder folder(path, mode, run.config_toml());
  NewRunGuard guard(path, existed, mode == RunMode::kNew);  // goes first: the folder is locked then
  console.note("training " + models::preset_of(run.config.model) + " on " + run.dataset.name +
               " in " + path.string());
  const TrainReport report = train_in_folder(run, folder, console);
  guard.keep();
  const std::vector<fs::path> pictures = draw_pictures(run, folder);
  console.result(report_json(report, run, folder, pictures),
                 report_text(report, run, folder, pictures));
  return report.status == TrainStatus::kInterrupted ? kInterruptedCode : 0;
}

}  // namespace

Command add_train(CLI::App& parent) {
  Command command = new_command(parent, "train", "Fit a flow to data.", "");
  const auto arguments = std::make_shared<TrainArguments>();
  CLI::App& app = *command.app;
  app.footer([] {
    return std::string(kTrainExamples) +
           "\nConfig keys, for the TOML file and --set (defaults of preset monotone):\n\n" +
           run_config_help();
  });
  app.add_option("CONFIG", arguments->config, "TOML file with [data], [model] and [training].");
  app.add_option("--data", arguments->data,
                 "Data instead of a config's: a toy density, 'digits', or a CSV or NPY file.");
  app.add_option("--model", arguments->model, "Preset of the model; see 'contraflow list'.");
  app.add_option("--set", arguments->set, "key=value over the config, such as training.steps=500.")
      ->allow_extra_args(false);
  app.add_option("--out", arguments->out, "Run folder to make.");
  app.add_option("--device", arguments->device,
                 "Where to train: cpu, cuda or auto; the key training.device.")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  CLI::Option* resume = app.add_flag("--resume", arguments->resume, "Go on with the run in --out.");
  app.add_flag("--overwrite", arguments->overwrite, "Replace the run in --out.")->excludes(resume);
  const auto common = command.common;
  command.run = [arguments, common](const Console& console) {
    return run_train(*arguments, common->threads, console);
  };
  return command;
}

}  // namespace contraflow::cli
