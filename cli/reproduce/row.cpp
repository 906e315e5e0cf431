#include "cli/reproduce/row.h"

#include <algorithm>

#include "cli/reproduce/machine.h"
#include "cli/reproduce/regression.h"
#include "contraflow/core/toml.h"
#include "contraflow/runs/run_config.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

// How far a row may be from itself after the way to the latent and back.
constexpr double kMostRoundTripError = 1e-6;

Json resolved_run_config(const Json& config, const std::string& where) {
  RunConfig run = run_config_from_json(config, where);
  make_path_absolute(run.data);
  return options_to_json(run);
}

// Without what may change and leaves it the same run; init_rows is raised by what the data need.
Json comparable(Json resolved) {
  for (const char* key : {"device", "threads", "log_every", "checkpoint_every", "init_rows"}) {
    resolved["training"].erase(key);
  }
  return resolved;
}

}  // namespace

int64_t RowJob::certificate_rows() const {
  return quick ? table.options.quick.certificate_rows : table.options.certificate_rows;
}

std::string RowJob::command() const {
  return "contraflow reproduce " + table.name + " --rows " + row.name + (quick ? " --quick" : "");
}

Json resolved_config(RowKind kind, const Json& config, const std::string& where) {
  if (kind != RowKind::kRegression) return resolved_run_config(config, where);
  return options_to_json(options_from_json<RegressionConfig>(config, where));
}

std::optional<Json> run_row(const RowJob& job) {
  switch (job.row.kind) {
    case RowKind::kDensity:
      return run_density_row(job);
    case RowKind::kBias:
      return run_bias_row(job);
    case RowKind::kRegression:
      break;
  }
  return run_regression_row(job);
}

void check_run_config(const RowJob& job, const Json& resolved) {
  const std::string source = (job.run_folder / "config.toml").string();
  const Json stored = parse_toml(RunFolder::read_config(job.run_folder), source);
  // Resolved anew: options that are younger than the run have their defaults.
  const Json before = resolved_config(job.row.kind, stored, source);
  check_same_config(comparable(before), comparable(resolved), "reproduce: " + job.row.name,
                    "Remove " + job.run_folder.string() + " to run the row with the new config.");
}

std::unique_ptr<RunFolder> open_run_folder(const RowJob& job, const Json& resolved) {
  const bool resumed = RunFolder::holds_run(job.run_folder);
  if (resumed) check_run_config(job, resolved);
  const RunMode mode = resumed ? RunMode::kResume : RunMode::kNew;
  auto folder = std::make_unique<RunFolder>(job.run_folder, mode, to_toml(resolved));
  if (folder->has_checkpoint()) job.console.note(job.row.name + ": going on from its checkpoint");
  return folder;
}

Json row_head(const RowJob& job, const std::string& data) {
  return {{"row", job.row.name},
          {"kind", enum_name(job.row.kind)},
          {"data", data},
          {"model", job.row.model}};
}

void add_row_tail(Json& result, const RowJob& job, const RowCost& cost) {
  result["paper"] = job.row.paper ? Json(*job.row.paper) : Json();
  if (!job.row.paper_text.empty()) result["paper_text"] = job.row.paper_text;
  result["steps"] = cost.steps;
  result["seconds"] = json_number(cost.seconds);
  result["seed"] = cost.seed;
  result["parameters"] = cost.parameters;
  result["command"] = job.command();
  result["machine"] = machine_json();
}

Json certificate_summary(const Certificate& certificate) {
  double upper = 0.0, lower = 0.0;
  for (const BlockCertificate& block : certificate.blocks) {
    upper = std::max(upper, block.upper);
    lower = std::max(lower, block.lower);
  }
  const bool holds = certificate.verdict() == Verdict::kCertified && upper < 1.0 &&
                     certificate.worst_error <= kMostRoundTripError;
  return {{"holds", holds},
          {"verdict", enum_name(certificate.verdict())},
          {"blocks", certificate.blocks.size()},
          {"worst_lipschitz_upper", json_number(upper)},
          {"worst_lipschitz_lower", json_number(lower)},
          {"worst_round_trip_error", json_number(certificate.worst_error)},
          {"worst_error_bound", json_number(certificate.worst_bound)},
          {"rows", certificate.rows}};
}

}  // namespace contraflow::cli
