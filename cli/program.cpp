#include "cli/program.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "cli/commands/common.h"
#include "cli/commands/train_help.h"
#include "cli/mistakes.h"
#include "contraflow/core/error.h"
#include "contraflow/core/log.h"
#include "contraflow/core/memory.h"
#include "contraflow/core/parallel.h"
#include "contraflow/core/text.h"
#include "contraflow/version.h"

namespace contraflow::cli {
namespace {

constexpr const char* kFooter =
    "Two commands from nothing to a density:\n"
    "  contraflow train checkerboard --out runs/checkerboard\n"
    "  contraflow evaluate runs/checkerboard\n\n"
    "Likelihoods are in nats per row unless marked otherwise, and come with a standard error.\n"
    "'contraflow help COMMAND' explains a command with examples. Exit codes: 0 done, 1 failure,\n"
    "2 misuse, 128 + N stopped by signal N: 130 by Ctrl-C. A training that a signal stops is saved "
    "first.\n";

struct Program {
  CLI::App app{"Trains, evaluates and samples exact-likelihood flows with certified inverses.",
               "contraflow"};
  std::vector<Command> commands;

  Program() {
    app.footer(kFooter);
    app.get_formatter()->column_width(34);
    app.set_version_flag("--version", "contraflow " CONTRAFLOW_VERSION, "Print the version.");
    for (const auto add : {add_train, add_evaluate, add_compare, add_score, add_sample, add_certify,
                           add_plot, add_reproduce, add_info, add_list}) {
      commands.push_back(add(app));
      // Collected instead of refused, so that the message can name the nearest option.
      commands.back().app->allow_extras();
    }
    app.allow_extras();
  }

  const Command* chosen() const {
    for (const Command& command : commands) {
      if (command.app->parsed()) return &command;
    }
    return nullptr;
  }
};

std::vector<std::string> command_names(const Program& program) {
  std::vector<std::string> names;
  for (const Command& command : program.commands) names.push_back(command.app->get_name());
  return names;
}

// A typing error explains better than what it led to, such as a required option that is missing.
void check_extras(const Program& program) {
  const Command* command = program.chosen();
  const std::vector<std::string> before = program.app.remaining();
  if (command == nullptr) {
    fail_unknown_command(command_names(program), before.empty() ? "" : before.front());
  }
  if (!before.empty()) fail_unknown_argument(*command->app, before.front());
  const std::vector<std::string> extras = command->app->remaining();
  if (!extras.empty()) fail_unknown_argument(*command->app, extras.front());
}

const Command* parse(Program& program, const std::vector<std::string>& arguments,
                     const Console& console) {
  try {
    program.app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    check_extras(program);
    check_paths(*program.chosen()->app);
  } catch (const CLI::Success& request) {  // --help or --version
    std::ostringstream text;
    program.app.exit(request, text, text);
    console.result({{"text", text.str()}}, text.str());
    return nullptr;
  } catch (const CLI::ParseError& error) {
    check_extras(program);
    check_paths(*program.chosen()->app);
    fail_arguments(*program.chosen()->app, error.what());
  }
  return program.chosen();
}

// 'help' and 'help COMMAND' are --help in words.
std::vector<std::string> without_help_command(const Program& program,
                                              std::vector<std::string> arguments) {
  if (arguments.front() != "help") return arguments;
  arguments.erase(arguments.begin());
  const std::vector<std::string> names = command_names(program);
  if (!arguments.empty() && std::find(names.begin(), names.end(), arguments.front()) == names.end())
    fail_unknown_command(names, arguments.front());
  if (arguments.empty()) return {"--help"};
  arguments.insert(arguments.begin() + 1, "--help");
  return arguments;
}

LogSink sink_of(const Console& console) {
  return [&console](LogLevel level, std::string_view text) {
    if (level == LogLevel::kDebug) return;
    console.note((level == LogLevel::kWarning ? "warning: " : "") + std::string(text));
  };
}

int report(const Console& console, const std::string& text, int code) {
  console.error(text);
  if (!console.json()) return code;
  try {
    console.result({{"error", text}, {"exit_code", code}}, "");
  } catch (const IoError& error) {  // of standard output; the first error has been said
    console.error(error.what());
  }
  return code;
}

int exit_code(ErrorCategory category) { return category == ErrorCategory::kUsage ? 2 : 1; }

bool asks_for_json(const std::vector<std::string>& arguments) {
  return std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
}

}  // namespace

int run_program(const std::vector<std::string>& arguments, Console& console) {
  const ScopedLogSink sink(sink_of(console));
  console.set_json(asks_for_json(arguments));
  std::optional<Program> program;
  try {
    program.emplace();
    if (arguments.empty()) {
      console.result({{"text", program->app.help()}}, program->app.help());
      return 2;
    }
    const Command* command =
        parse(*program, with_help_page(without_help_command(*program, arguments)), console);
    if (command == nullptr) return 0;
    set_threads("--threads", command->common->threads);
    int code = 0;
    with_memory({"contraflow", "the rows that '" + command->app->get_name() + "' takes at a time",
                 "Use fewer rows, or smaller batches of them."},
                [&] { code = command->run(console); });
    return code;
  } catch (const Error& error) {
    const Command* command = program ? program->chosen() : nullptr;
    const std::string text =
        command ? in_typed_names(*command->app, arguments, error.what()) : error.what();
    return report(console, text, exit_code(error.category()));
  } catch (const c10::Error& error) {
    return report(console, "[LibTorch] " + shorten(error.what_without_backtrace(), 400), 1);
  } catch (const std::bad_alloc&) {
    return report(console, "[contraflow] memory: expected more, got none. Use fewer rows.", 1);
  } catch (const std::exception& error) {
    return report(console, std::string("[contraflow] ") + error.what(), 1);
  }
}

std::vector<std::string> option_names() {
  const Program program;
  std::vector<std::string> out;
  for (const Command& command : program.commands) {
    for (const std::string& name : option_names_of(*command.app)) {
      out.push_back(command.app->get_name() + " " + name);
    }
  }
  return out;
}

}  // namespace contraflow::cli
