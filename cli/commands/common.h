#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"
#include "contraflow/core/device.h"
#include "contraflow/core/options_constraint.h"
#include "contraflow/data/columns.h"
#include "contraflow/training/metrics.h"
#include "contraflow/training/training_options.h"

namespace contraflow::cli {

/// What every command has.
struct CommonArguments {
  bool json = false;
  int64_t threads = 0;
};

/// One command: its options on the parser, and what runs them.
struct Command {
  CLI::App* app = nullptr;
  std::shared_ptr<CommonArguments> common;
  std::function<int(const Console&)> run;
};

Command add_train(CLI::App& parent);
Command add_evaluate(CLI::App& parent);
Command add_compare(CLI::App& parent);
Command add_score(CLI::App& parent);
Command add_sample(CLI::App& parent);
Command add_certify(CLI::App& parent);
Command add_plot(CLI::App& parent);
Command add_reproduce(CLI::App& parent);
Command add_info(CLI::App& parent);
Command add_list(CLI::App& parent);

/// A subcommand with --json and, if it computes, --threads. `footer` holds examples.
Command new_command(CLI::App& parent, const std::string& name, const std::string& summary,
                    const std::string& footer, bool computes = true);

inline constexpr int64_t kMostInteger = int64_t{1} << 53;
/// Checks with messages that a reader understands.
CLI::Validator integer_range(int64_t low, int64_t high);
CLI::Validator positive_number();
CLI::Validator one_of(const std::vector<std::string>& names);

/// RUN, the first positional of all commands on a trained model.
void add_model_argument(CLI::App& app, std::string& path);
/// --dtype and --device, what a model is loaded as.
void add_dtype_option(CLI::App& app, FloatType& dtype);
void add_device_option(CLI::App& app, DeviceKind& device);
/// --set model.KEY=VALUE over how a trained model is evaluated; see LoadOptions::set.
void add_set_option(CLI::App& app, std::vector<std::string>& set);
void add_split_option(CLI::App& app, std::string& split);
/// --allow-changed-data; see open_data(model).
void add_changed_data_option(CLI::App& app, bool& allow_changed);
/// --rows, --replicates and --seed of an evaluation with an error.
void add_draw_options(CLI::App& app, int64_t& rows, int64_t& replicates, int64_t& seed);
/// --batch, rows at a time.
void add_batch_option(CLI::App& app, int64_t& batch);

/// Each event of the model is an image [channels, height, width].
bool has_image_events(const data::Columns& columns);
/// What a row of the model is called: "image", or "row".
std::string row_word(const data::Columns& columns);
/// "3 x 32 x 32 images", "rows of 64 columns".
std::string events_text(const data::Columns& columns);

/// An estimate as a result with --json holds it.
nlohmann::ordered_json estimate_json(const Estimate& value);

/// An enum option by its enum_names().
template <class E>
CLI::Option* add_choice(CLI::App& app, const std::string& name, E& value, const std::string& help) {
  std::vector<std::string> names;
  for (const auto& [text, choice] : enum_names(E{})) names.emplace_back(text);
  const auto read = [&value](const std::string& text) {
    for (const auto& [candidate, choice] : enum_names(E{})) {
      if (text == candidate) value = choice;
    }
  };
  return app.add_option_function<std::string>(name, read, help)
      ->check(one_of(names))
      ->default_str(enum_name(value));
}

}  // namespace contraflow::cli
