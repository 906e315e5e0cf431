#include "cli/commands/train_help.h"

#include <algorithm>

#include "cli/words.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/runs/run_config.h"

namespace contraflow::cli {
namespace {

constexpr const char* kFirstPage =
    "Examples:\n"
    "  contraflow train events.csv --out runs/events --minutes 10\n"
    "  contraflow train events.csv --columns pt,eta --steps 5000\n"
    "  contraflow train events.csv --exclude comment --model residual\n"
    "  contraflow train checkerboard                        a toy density, default model\n"
    "  contraflow train configs/digits.toml --steps 500 --overwrite\n"
    "  contraflow train --out runs/events --resume          go on where it stopped\n\n"
    "Without --out the folder is runs/ and the name of the config, or of data and model. A folder\n"
    "that holds a run is refused unless --resume or --overwrite is given. Ctrl-C saves, then "
    "ends.\n\n"
    "More pages, each with its options and keys:\n"
    "  contraflow train --help data        columns and their kinds, conditions, weights, the "
    "split\n"
    "  contraflow train --help model       the flow: blocks, networks, estimators, solver\n"
    "  contraflow train --help training    steps and time, rates, validation, checkpoints\n"
    "  contraflow train --help-all         all of it\n";

constexpr const char* kDataPage =
    "Examples:\n"
    "  contraflow train events.csv --columns pt,eta --condition energy\n"
    "  contraflow train events.csv --label class --exclude id,comment\n"
    "  contraflow train events.csv --weight w               rows count by their column w\n"
    "  contraflow train events.csv --kinds price=positive,share=continuous\n"
    "  contraflow train events.csv --set data.group=customer\n";

constexpr const char* kModelPage =
    "Examples:\n"
    "  contraflow train events.csv --model residual\n"
    "  contraflow train events.csv --set model.blocks=6 --set model.net.lipschitz=0.97\n"
    "  contraflow train events.csv --seed 1                 other first weights, the same rows\n"
    "'contraflow list' names the models, transforms, bases and activations.\n";

constexpr const char* kTrainingPage =
    "Examples:\n"
    "  contraflow train events.csv --minutes 10             as many steps as fit\n"
    "  contraflow train events.csv --epochs 20 --lr 5e-4 --batch 256\n"
    "  contraflow train events.csv --set training.schedule.kind=constant --set "
    "training.patience=0\n"
    "  contraflow train configs/energy-u1.toml              no data: towards a known energy\n\n"
    "Ctrl-C, SIGTERM and SIGHUP finish the step, save, and exit with code 128 + the signal's "
    "number\n"
    "(130 for Ctrl-C); a second one ends at once.\n\n"
    "A run with --minutes cannot be repeated bit for bit: how many steps fit depends on the "
    "machine,\n"
    "and a cosine schedule follows the time that is used. A resumed run has what is left of its "
    "minutes;\n"
    "give more to go on after they are over. --seed sets training.seed and model.seed, not "
    "data.seed:\n"
    "runs of several seeds hold out the same rows and can be compared.\n";

struct Page {
  std::string name;  ///< As the table of its keys; empty: the first page.
  std::string about;
  std::string text;
  std::vector<std::string> options;
};

const std::vector<Page>& pages() {
  static const std::vector<Page> all{
      {"",
       "",
       kFirstPage,
       {"INPUT", "--help", "--out", "--minutes", "--steps", "--columns", "--exclude", "--model",
        "--set", "--resume", "--overwrite", "--help-all"}},
      {"data",
       "How the table is read, with its config keys.",
       kDataPage,
       {"INPUT", "--data", "--columns", "--exclude", "--kinds", "--condition", "--label",
        "--weight", "--set"}},
      {"model",
       "What the flow is made of, with its config keys.",
       kModelPage,
       {"INPUT", "--model", "--seed", "--set"}},
      {"training",
       "How long and how it is trained, with its config keys.",
       kTrainingPage,
       {"INPUT", "--out", "--steps", "--minutes", "--epochs", "--lr", "--batch", "--seed", "--set",
        "--device", "--threads", "--resume", "--overwrite", "--json"}}};
  return all;
}

/// The keys of a config that start so, with default, type, range and meaning.
std::string keys_help(const std::string& start) {
  // The two estimators have the same keys.
  const std::string other = "model.eval_log_det.";
  std::string out;
  for (const OptionInfo& row : describe_run_config()) {
    if (!row.path.starts_with(start)) continue;
    if (row.path.starts_with(other) && start == "model.") continue;
    out += "  " + row.path + " = " + row.default_value + "  (" + row.type;
    if (!row.range.empty()) out += ", " + row.range;
    out += ")\n      " + row.help;
    if (!row.condition.empty()) out += " Only for " + row.condition + ".";
    if (row.path + "." == other && start == "model.")
      out += " Its keys are those of model.train_log_det.";
    out += "\n";
  }
  return out;
}

std::string keys_title(const std::string& what) {
  return "\n" + what + " for the TOML file and --set (defaults of preset monotone):\n\n";
}

std::string page_text(const Page& page) {
  if (page.name.empty()) return page.text;
  return page.text + keys_title("Keys of [" + page.name + "]") + keys_help(page.name + ".");
}

std::string all_text() {
  std::string out;
  for (const Page& page : pages()) {
    // Of the first page the list of pages is left out: all of them follow.
    out += page.text.substr(0, page.text.find("More pages")) + (page.name.empty() ? "" : "\n");
  }
  return out + keys_title("Config keys,").substr(1) + keys_help("");
}

// An option without a group is not listed.
void show_options(CLI::App& app, const std::vector<std::string>& names) {
  for (CLI::Option* option : app.get_options()) {
    const bool shown = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return app.get_option_no_throw(name) == option;
    });
    option->group(shown ? "Options" : "");
  }
}

}  // namespace

void add_help_pages(CLI::App& app) {
  for (const Page& page : pages()) {
    if (page.name.empty()) continue;
    const auto show = [&app, &page] {
      show_options(app, page.options);
      app.footer([&page] { return page_text(page); });
      throw CLI::CallForHelp();
    };
    app.add_flag_callback("--help-" + page.name, show, page.about)->trigger_on_parse();
  }
  const auto show_all = [&app] {
    for (CLI::Option* option : app.get_options()) option->group("Options");
    app.footer(all_text);
    throw CLI::CallForHelp();
  };
  app.add_flag_callback("--help-all", show_all, "Every option and every key of a config.")
      ->trigger_on_parse();
  // Only then, because an option that is not listed has no name in messages either.
  const auto show_first = [&app] {
    show_options(app, pages().front().options);
    throw CLI::CallForHelp();
  };
  app.set_help_flag();
  app.add_flag_callback("-h,--help", show_first, "Print this help message and exit")
      ->trigger_on_parse();
  app.footer([] { return page_text(pages().front()); });
}

std::vector<std::string> with_help_page(std::vector<std::string> arguments) {
  if (arguments.empty() || arguments.front() != "train") return arguments;
  const auto asks = [](const std::string& word) { return word == "--help" || word == "-h"; };
  const auto help = std::find_if(arguments.begin(), arguments.end(), asks);
  if (help == arguments.end() || help + 1 == arguments.end()) return arguments;
  const std::string topic = *(help + 1);
  if (topic.starts_with("-")) return arguments;
  std::vector<std::string> names{"all"};
  for (const Page& page : pages()) names.push_back(page.name);
  if (std::find(names.begin(), names.end(), topic) == names.end()) {
    const auto near = nearest_match(topic, names);
    fail<ConfigError>("contraflow train", "--help", "a page: data, model, training or all",
                      "'" + shorten(topic) + "'",
                      near && !near->empty() ? did_you_mean({*near})
                                             : "Without a page: contraflow train --help.");
  }
  return {"train", "--help-" + topic};
}

}  // namespace contraflow::cli
