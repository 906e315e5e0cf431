#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/console.h"

namespace contraflow::cli {

struct ReproduceOptions {
  std::string table;
  std::filesystem::path configs;  ///< Folder of the tables.
  std::filesystem::path out;      ///< Empty: docs/results, or the runs' folder of a quick run.
  std::filesystem::path runs;     ///< Empty: runs/papers/TABLE, with -quick for a quick run.
  std::vector<std::string> rows;  ///< Empty: all that are not on request.
  bool quick = false;
};

/// Runs the rows that have no result yet, one after another, and writes the table after each of
/// them. Returns the exit code: 0, 1 if a certificate does not hold, 128 + N after signal N (130
/// after Ctrl-C).
///
/// State      runs/ROW is the row's run folder; result.json in it says that the row is finished,
///            and is written last, whole. Without it the row goes on from its checkpoint.
/// Report     OUT/TABLE.json, OUT/TABLE.md and pictures in OUT/TABLE. Rows that were reported there
///            before, but were not run in `runs`, keep their numbers.
int reproduce(const ReproduceOptions& options, const Console& console);

/// The tables of a folder, for a reader.
int list_tables(const std::filesystem::path& configs, const Console& console);

}  // namespace contraflow::cli
