#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/console.h"
#include "cli/reproduce/table_file.h"
#include "contraflow/evaluation/certificate.h"
#include "contraflow/training/trainer.h"

namespace contraflow::cli {

/// One row to be run.
struct RowJob {
  const Table& table;
  const RowOptions& row;
  bool quick = false;
  /// Checkpoint, metrics, and, once it is finished, result.json and perhaps a picture.
  std::filesystem::path run_folder;
  const Console& console;

  int64_t certificate_rows() const;
  /// What a user types to get this row.
  std::string command() const;
};

/// The config with every default filled in; ConfigError with the dotted path. Nothing is run.
nlohmann::ordered_json resolved_config(RowKind kind, const nlohmann::ordered_json& config,
                                       const std::string& where);

/// Trains, measures and draws the row, from its checkpoint if there is one. The result is one flat
/// JSON object; nothing if Ctrl-C stopped it (the checkpoint is written then).
std::optional<nlohmann::ordered_json> run_row(const RowJob& job);

// ------------------------------------------------------------------ what the kinds have in common

std::optional<nlohmann::ordered_json> run_density_row(const RowJob& job);
std::optional<nlohmann::ordered_json> run_bias_row(const RowJob& job);
std::optional<nlohmann::ordered_json> run_regression_row(const RowJob& job);

/// The folder of the row's run, new or to go on with. ConfigError if a run of another config is
/// there.
std::unique_ptr<RunFolder> open_run_folder(const RowJob& job,
                                           const nlohmann::ordered_json& resolved);
/// ConfigError if the run in the row's folder had another config than the row has now.
void check_run_config(const RowJob& job, const nlohmann::ordered_json& resolved);

/// {"row", "kind", "data", "model"}, with which every result starts.
nlohmann::ordered_json row_head(const RowJob& job, const std::string& data);

struct RowCost {
  int64_t steps = 0;
  double seconds = 0.0;
  int64_t seed = 0;
  int64_t parameters = 0;
};
/// Appends the paper's number, cost, command and machine.
void add_row_tail(nlohmann::ordered_json& result, const RowJob& job, const RowCost& cost);

/// "holds" if every bound is proven below 1 and no row's round trip is off by more than 1e-6.
nlohmann::ordered_json certificate_summary(const Certificate& certificate);

}  // namespace contraflow::cli
