#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands/common.h"
#include "cli/commands/train_help.h"
#include "cli/commands/train_options.h"
#include "cli/figures.h"
#include "cli/signals.h"
#include "cli/training_run.h"
#include "contraflow/core/error.h"
#include "contraflow/core/estimate.h"
#include "contraflow/core/log.h"
#include "contraflow/core/text.h"
#include "contraflow/models/model_registry.h"
#include "contraflow/runs/new_run_guard.h"
#include "contraflow/training/reverse_kl.h"
#include "contraflow/training/run_folder.h"

namespace contraflow::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

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
    draw_run_curves(folder.metrics_path(), least_loss(run.config, run.columns), run.columns,
                    title_of(run.dataset), path);
  });
  if (has_density_map(run.columns) && run.columns.condition_size() == 0) {
    draw("density.png", [&](const fs::path& path) {
      draw_density({*run.flow, run.columns, &run.dataset, title_of(run.dataset)}, path);
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
  const bool stopped = report.status == TrainStatus::kInterrupted;
  Json out{{"command", "train"},
           {"status", enum_name(report.status)},
           {"signal", stopped ? Json(signal_name(stop_signal())) : Json()},
           {"step", report.step},
           {"steps", run.config.training.steps},
           {"minutes", run.config.training.minutes},
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

// "interrupted by SIGTERM after 120 of 5,000 steps", "out of time after 120 steps: ...".
std::string status_text(const TrainReport& report, const TrainingOptions& training) {
  std::string out = enum_name(report.status);
  std::replace(out.begin(), out.end(), '_', ' ');
  if (report.status == TrainStatus::kInterrupted) out += " by " + signal_name(stop_signal());
  out += " after " + format_count(report.step);
  if (training.steps > 0) out += " of " + format_count(training.steps);
  out += " steps";
  if (report.status != TrainStatus::kOutOfTime) return out;
  return out + ": the budget of " + format_duration(60.0 * training.minutes) + " is used up";
}

std::string how_to_go_on(const TrainReport& report, const TrainingOptions& training,
                         const RunFolder& folder) {
  const std::string resume =
      "Go on with: contraflow train --out " + folder.path().string() + " --resume";
  if (report.status == TrainStatus::kInterrupted) return resume + "\n";
  if (report.status != TrainStatus::kOutOfTime) return "";
  return resume + " --minutes M, with M above " + fixed(training.minutes, 2) + "\n";
}

// What the loss is the negative of, where it is one.
std::string loss_text(const PreparedRun& run) {
  return run.config.training.objective == ReverseKl::kName ? "" : "; it is the mean of -log p(x)";
}

std::string report_text(const TrainReport& report, const PreparedRun& run, const RunFolder& folder,
                        const std::vector<fs::path>& pictures) {
  Facts facts;
  facts.add("status", status_text(report, run.config.training));
  facts.add("time", format_duration(report.seconds) + "  (" + fixed(report.steps_per_second, 1) +
                        " steps/s)");
  if (report.loss) {
    facts.add("loss", with_error(*report.loss) + " nats per row" + bits(*report.loss, run.columns) +
                          " of the last batch" + loss_text(run));
  }
  if (report.best) {
    const Estimate& best = report.best->loss;
    facts.add("validation", "loss " + with_error(best) + " nats per row" + bits(best, run.columns) +
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
  return facts.str() + how_to_go_on(report, run.config.training, folder);
}

int run_train(TrainArguments a, const Console& console) {
  sort_input(a);
  const fs::path path = folder_of(a);
  const RunMode mode = a.resume      ? RunMode::kResume
                       : a.overwrite ? RunMode::kOverwrite
                                     : RunMode::kNew;
  if (mode == RunMode::kNew) RunFolder::refuse_run(path);  // before minutes of reading
  PreparedRun run = prepare_run(resolve_config(a, path));
  apply_epochs(a, run, console);
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
  return report.status == TrainStatus::kInterrupted ? stopped_exit_code() : 0;
}

}  // namespace

Command add_train(CLI::App& parent) {
  Command command = new_command(parent, "train", "Fit a flow to data.", "");
  const auto arguments = std::make_shared<TrainArguments>();
  add_train_options(*command.app, *arguments);
  add_help_pages(*command.app);
  const auto common = command.common;
  command.run = [arguments, common](const Console& console) {
    arguments->threads = common->threads;
    return run_train(*arguments, console);
  };
  return command;
}

}  // namespace contraflow::cli
