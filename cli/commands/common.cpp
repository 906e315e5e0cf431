#include "cli/commands/common.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "contraflow/core/text.h"
#include "contraflow/data/image_files.h"

namespace contraflow::cli {

CLI::Validator integer_range(int64_t low, int64_t high) {
  const std::string range =
      high == kMostInteger
          ? "an integer of " + std::to_string(low) + " or more"
          : "an integer from " + std::to_string(low) + " to " + std::to_string(high);
  const auto check = [low, high, range](const std::string& text) -> std::string {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && low <= value && value <= high ? "" : "'" + text + "' is not " + range;
  };
  return {check, ""};
}

CLI::Validator positive_number() {
  const auto check = [](const std::string& text) -> std::string {
    double value = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && std::isfinite(value) && value > 0.0 ? "" : "'" + text + "' is not a number > 0";
  };
  return {check, ""};
}

CLI::Validator one_of(const std::vector<std::string>& names) {
  const auto check = [names](const std::string& text) -> std::string {
    if (std::find(names.begin(), names.end(), text) != names.end()) return "";
    const auto near = nearest_match(text, names);
    return "'" + text + "' is none of " + join(names, ", ") +
           (near ? "; did you mean '" + *near + "'?" : "");
  };
  return {check, ""};
}

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
        ->check(integer_range(0, 4096))
        ->capture_default_str();
  }
  return command;
}

void add_model_argument(CLI::App& app, std::string& path) {
  app.add_option("RUN", path, "Run folder, or a checkpoint file.")->required();
}

void add_draw_options(CLI::App& app, int64_t& rows, int64_t& replicates, int64_t& seed) {
  app.add_option("--rows", rows, "Use the first rows only; 0 = all.")
      ->check(integer_range(0, kMostInteger))
      ->capture_default_str();
  app.add_option("--replicates,--draws", replicates,
                 "Draws per row where dequantization or an estimated log-det is random.")
      ->check(integer_range(2, 10'000))
      ->capture_default_str();
  app.add_option("--seed", seed, "Seed of those draws.")
      ->check(integer_range(0, kMostInteger))
      ->capture_default_str();
}

void add_batch_option(CLI::App& app, int64_t& batch) {
  app.add_option("--batch", batch,
                 "Rows or images at a time; 0 = as many as 1 GiB of Jacobians hold. It changes no "
                 "result.")
      ->check(integer_range(0, kMostInteger))
      ->capture_default_str();
}

bool has_image_events(const data::Columns& columns) {
  return columns.event_shape.size() > 1 && columns.image.size() == 3;
}

std::string row_word(const data::Columns& columns) {
  return has_image_events(columns) ? "image" : "row";
}

std::string events_text(const data::Columns& columns) {
  if (has_image_events(columns)) return data::image_size_text(columns.image) + " images";
  return "rows of " + std::to_string(columns.dim()) + " columns";
}

void add_dtype_option(CLI::App& app, FloatType& dtype) {
  add_choice(app, "--dtype", dtype,
             "Arithmetic. float64 certifies solves to their tolerance; float32 is faster.");
}

void add_device_option(CLI::App& app, DeviceKind& device) {
  add_choice(app, "--device", device,
             "Where it is computed: cuda = the graphics card, auto = it where there is one.");
}

void add_set_option(CLI::App& app, std::vector<std::string>& set) {
  app.add_option("--set", set,
                 "key=value over how the model is evaluated: model.eval_log_det (exact, truncated, "
                 "adaptive, krylov, roulette, and their keys), model.solver, model.tolerance.")
      ->allow_extra_args(false);
}

void add_split_option(CLI::App& app, std::string& split) {
  app.add_option("--split", split, "Rows of which part of the training's data.")
      ->check(one_of({"test", "validation", "train"}))
      ->capture_default_str();
}

void add_changed_data_option(CLI::App& app, bool& allow_changed) {
  app.add_flag(
      "--allow-changed-data", allow_changed,
      "Go on where the training's file changed: a row falls where it would have fallen, so "
      "that no row of validation and test was trained on.");
}

nlohmann::ordered_json estimate_json(const Estimate& value) {
  return {{"mean", json_number(value.mean)}, {"standard_error", json_number(value.standard_error)}};
}

}  // namespace contraflow::cli
