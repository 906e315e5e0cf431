#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/reproduce/table_file.h"

namespace contraflow::cli {

/// The table as one JSON object: title, source, rows as run_row() made them, and the names of rows
/// without a result.
nlohmann::ordered_json report_json(const Table& table,
                                   const std::vector<nlohmann::ordered_json>& rows,
                                   const std::vector<std::string>& pictures, bool quick);

/// The same for readers. A second table tells command, cost and machine of every row.
std::string report_markdown(const nlohmann::ordered_json& report, const Table& table);

/// What a report that was written before holds; nothing where there is no such file.
struct EarlierReport {
  std::vector<nlohmann::ordered_json> rows;
  std::vector<std::string> pictures;
  bool quick = false;
};
/// IoError, ConfigError: a file that is no report.
EarlierReport read_report(const std::filesystem::path& path);

}  // namespace contraflow::cli
