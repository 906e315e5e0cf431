#include "cli/reproduce/reproduce.h"

#include "cli/commands/common.h"

namespace contraflow::cli {
namespace {

constexpr const char* kReproduceExamples =
    "Examples:\n"
    "  contraflow reproduce                              the tables there are, and their minutes\n"
    "  contraflow reproduce monotone-toy2d --quick       every row in seconds; its numbers mean "
    "nothing\n"
    "  contraflow reproduce monotone-toy2d --rows checkerboard-monotone,rings-monotone\n"
    "  contraflow reproduce monotone-toy2d               the rest of the table\n\n"
    "A table is a folder of configs/papers: table.toml lists its rows, and each row names a run "
    "config\n"
    "beside it, what is set over that, and the paper's number. Every row is trained, measured on\n"
    "held-out rows, and certified: proven Lipschitz bounds below 1, and round trips data -> latent "
    "->\n"
    "data within 1e-6 in float64. Exit code 1 says that a certificate does not hold.\n\n"
    "Rows are kept: a finished one is not run again, one that was stopped (Ctrl-C, a crash) goes "
    "on "
    "from\n"
    "its checkpoint, and one whose config changed is refused until its run folder is removed. The "
    "table,\n"
    "TABLE.md and TABLE.json with a folder of pictures, is written after every row.\n\n"
    "Your own table: copy a folder, change it, and name its path:\n"
    "  contraflow reproduce my-tables/first/table.toml --out my-results\n";

}  // namespace

Command add_reproduce(CLI::App& parent) {
  Command command = new_command(parent, "reproduce",
                                "Run a table of a paper, with standard errors and certificates.",
                                kReproduceExamples);
  const auto a = std::make_shared<ReproduceOptions>();
  CLI::App& app = *command.app;
  app.add_option("TABLE", a->table,
                 "Name of a table, or the path of a table file; none: the list.");
  app.add_option("--rows", a->rows,
                 "Rows to run, with commas between them; default: all but those on request.")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_flag("--quick", a->quick, "The short version of the table, in folders of its own.");
  app.add_option("--out", a->out,
                 "Folder of the report; default: docs/results, of a quick run that of its runs.");
  app.add_option("--runs", a->runs, "Folder of the run folders; default: runs/papers/TABLE.");
  app.add_option("--configs", a->configs, "Folder of the tables.")->default_str("configs/papers");
  a->configs = "configs/papers";
  command.run = [a](const Console& console) {
    return a->table.empty() ? list_tables(a->configs, console) : reproduce(*a, console);
  };
  return command;
}

}  // namespace contraflow::cli
