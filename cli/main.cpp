#include "cli/program.h"
#include "cli/signals.h"
#include "contraflow/core/memory.h"

int main(int argc, char** argv) {
  contraflow::keep_freed_memory();
  contraflow::cli::prepare_process();
  auto console = contraflow::cli::Console::standard();
  return contraflow::cli::run_program({argv + 1, argv + argc}, console);
}
