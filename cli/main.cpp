#include "cli/program.h"

int main(int argc, char** argv) {
  auto console = contraflow::cli::Console::standard();
  return contraflow::cli::run_program({argv + 1, argv + argc}, console);
}
