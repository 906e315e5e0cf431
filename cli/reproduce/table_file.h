#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/options.h"

namespace contraflow::cli {

/// What a row of a table measures; each kind is one file row_<kind>.cpp.
enum class RowKind {
  kDensity,     ///< Likelihood of a flow on held-out rows, with a certificate.
  kBias,        ///< The same, and what the training objective claimed over the steps.
  kRegression,  ///< Squared error of a fitted map of the line, with a certificate.
};

constexpr auto enum_names(RowKind) {
  return std::array{std::pair{"density", RowKind::kDensity}, std::pair{"bias", RowKind::kBias},
                    std::pair{"regression", RowKind::kRegression}};
}

/// One row of a table file.
struct RowOptions {
  std::string name = "";
  RowKind kind = RowKind::kDensity;
  /// Label of the column that the row's number stands in.
  std::string model = "";
  /// Run config, relative to the table's folder, and what is set over it.
  std::string config = "";
  std::vector<std::string> set = {};
  std::optional<double> paper = std::nullopt;
  /// Stands where `paper` would: a number that is only partly legible, or a remark.
  std::string paper_text = "";
  /// Expected training time on two cores; tells how long a table takes.
  double minutes = 0.0;
  /// Draws of what is random for each held-out row (as many as 'contraflow evaluate' takes), and the
  /// held-out rows that are measured, from the first on; 0 = all.
  int64_t draws = 4;
  int64_t test_rows = 0;
  /// Run only where --rows names it: a row that takes another machine.
  bool on_request = false;
};

template <class Field>
void visit(RowOptions& o, Field&& field) {
  field("name", o.name, non_empty(), "Name of the row: --rows, and its run folder.");
  field("kind", o.kind, "What is measured: density, bias or regression.");
  field("model", o.model, non_empty(), "Label of the model.");
  field("config", o.config, non_empty(), "Run config in the folder of the table.");
  field("set", o.set, "key=value over the config.");
  field("paper", o.paper, "The paper's number.");
  field("paper_text", o.paper_text, "In place of a number of the paper's.");
  field("minutes", o.minutes, non_negative(), "Expected minutes of training on two cores.");
  field("draws", o.draws, at_least(2), "Draws of what is random for each held-out row.");
  field("test_rows", o.test_rows, at_least(0), "Held-out rows that are measured; 0 = all.");
  field("on_request", o.on_request, "Run only where --rows names it.");
}

/// The short version that tests and the curious run.
struct QuickOptions {
  std::vector<std::string> set = {};
  int64_t certificate_rows = 100;
};

template <class Field>
void visit(QuickOptions& o, Field&& field) {
  field("set", o.set, "key=value over every row's config.");
  field("certificate_rows", o.certificate_rows, at_least(1), "Rows of a certificate.");
}

/// A table file: table.toml in a folder of configs/papers, beside the run configs that it names.
struct TableOptions {
  std::string title = "";
  std::string source = "";
  /// Paragraphs above the table: what to know before comparing.
  std::vector<std::string> notes = {};
  /// Held-out rows sent through every trained model and back.
  int64_t certificate_rows = 100'000;
  std::vector<RowOptions> rows = {};
  QuickOptions quick = {};
};

template <class Field>
void visit(TableOptions& o, Field&& field) {
  field("title", o.title, non_empty(), "Heading of the table.");
  field("source", o.source, "Paper and table.");
  field("notes", o.notes, "Paragraphs above the table.");
  field("certificate_rows", o.certificate_rows, at_least(1), "Rows of a certificate.");
  field("rows", o.rows, non_empty(), "The rows.");
  field("quick", o.quick, "The short version.");
}

/// Names, models, configs and titles must be given, and row names differ and be usable as names of
/// folders; else ConfigError.
void validate(const RowOptions& row);
void validate(const TableOptions& options);

/// A table that was read.
struct Table {
  std::string name;              ///< Name of its folder.
  std::filesystem::path folder;  ///< Where table.toml lies.
  TableOptions options;
};

/// `name` is a folder of `configs`, or the path of a table file or of its folder. ConfigError: no
/// such table (with the nearest one and the list), or a broken one.
Table load_table(const std::string& name, const std::filesystem::path& configs);

/// Names of the folders of `configs` that hold a table, in order.
std::vector<std::string> table_names(const std::filesystem::path& configs);

/// The rows of those names in the order of the table; for none all that are not on request.
/// ConfigError with the nearest.
std::vector<RowOptions> select_rows(const Table& table, const std::vector<std::string>& names);

/// The row's run config with what is set over it.
nlohmann::ordered_json row_config(const Table& table, const RowOptions& row, bool quick);

}  // namespace contraflow::cli
