#include "cli/reproduce/report.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "cli/console.h"
#include "contraflow/core/error.h"
#include "contraflow/core/file.h"
#include "contraflow/core/json.h"
#include "contraflow/core/text.h"

namespace contraflow::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kMostReportBytes = 64 << 20;

bool is_number(const Json& row, const char* key) {
  return row.contains(key) && row[key].is_number();
}

std::string number(const Json& row, const char* key, int digits) {
  return is_number(row, key) ? fixed(row[key].get<double>(), digits) : "";
}

std::string scientific_number(const Json& row, const char* key) {
  return is_number(row, key) ? scientific(row[key].get<double>()) : "";
}

std::string paper_text(const Json& row, bool error) {
  if (row.contains("paper_text")) return row["paper_text"];
  return error ? scientific_number(row, "paper") : number(row, "paper", 3);
}

std::string certificate_cell(const Json& row) {
  const Json& c = row["certificate"];
  const std::string bound = "Lip ≤ " + number(c, "worst_lipschitz_upper", 4) + ", round trip " +
                            scientific_number(c, "worst_round_trip_error");
  return (c["holds"].get<bool>() ? "proven: " : "**does not hold**: ") + bound;
}

std::string measured(const Json& row, const char* value, const char* error, int digits) {
  if (!is_number(row, value)) return "";
  const double spread = is_number(row, error) ? row[error].get<double>() : std::nan("");
  return with_error({row[value].get<double>(), spread, 0}, digits);
}

/// Words to the left, numbers to the right.
std::vector<Align> aligned(const std::vector<std::string>& header) {
  static const std::set<std::string> kWords{"row", "data",    "model",   "target",
                                            "map", "inverse", "machine", "command"};
  std::vector<Align> out;
  for (const std::string& name : header) {
    out.push_back(kWords.contains(name) ? Align::kLeft : Align::kRight);
  }
  return out;
}

bool is_regression(const Json& row) { return row.contains("mse"); }
bool is_of_pixels(const Json& row) { return row.contains("bits_per_dim"); }

std::string density_table(const std::vector<Json>& rows) {
  const bool biased =
      std::any_of(rows.begin(), rows.end(), [](const Json& r) { return r.contains("claimed"); });
  std::vector<std::string> header{"row", "data", "model", "−log p(x), nats", "KL", "paper"};
  if (biased) header.insert(header.begin() + 4, "the objective claims");
  header.insert(header.end(), {"minutes", "inverse"});
  TextTable table(header, aligned(header));
  for (const Json& row : rows) {
    std::vector<std::string> cells{row["row"],           row["data"],
                                   row["model"],         measured(row, "nll", "standard_error", 4),
                                   number(row, "kl", 4), paper_text(row, false)};
    if (biased) {
      cells.insert(cells.begin() + 4, measured(row, "claimed", "claimed_standard_error", 4));
    }
    cells.push_back(fixed(row["seconds"].get<double>() / 60.0, 1));
    cells.push_back(certificate_cell(row));
    table.add_row(cells);
  }
  return table.markdown();
}

std::string pixel_table(const std::vector<Json>& rows) {
  const std::vector<std::string> header{
      "row",   "data",    "model", "bits/dim", "−log2 P(x) per pixel",
      "paper", "minutes", "steps", "inverse"};
  TextTable table(header, aligned(header));
  for (const Json& row : rows) {
    const std::string probability =
        measured(row, "probability_bits_per_dim", "probability_bits_per_dim_standard_error", 4);
    table.add_row({row["row"], row["data"], row["model"],
                   measured(row, "bits_per_dim", "bits_per_dim_standard_error", 4), probability,
                   paper_text(row, false), fixed(row["seconds"].get<double>() / 60.0, 1),
                   format_count(row["steps"]), certificate_cell(row)});
  }
  return table.markdown();
}

std::string regression_table(const std::vector<Json>& rows) {
  const std::vector<std::string> header{"row",   "target",  "map",    "squared error",
                                        "paper", "minutes", "inverse"};
  TextTable table(header, aligned(header));
  for (const Json& row : rows) {
    const double error = is_number(row, "standard_error") ? row["standard_error"].get<double>() : 0;
    table.add_row({row["row"], row["data"], row["model"],
                   scientific_number(row, "mse") + " ± " + scientific(error), paper_text(row, true),
                   fixed(row["seconds"].get<double>() / 60.0, 1), certificate_cell(row)});
  }
  return table.markdown();
}

// "0", or "0 to 4" where a row was run with several.
std::string seeds_text(const Json& row) {
  const auto first = row["seed"].get<int64_t>();
  const auto count = static_cast<int64_t>(row.value("mse_of_seeds", Json::array()).size());
  const std::string text = std::to_string(first);
  return count < 2 ? text : text + " to " + std::to_string(first + count - 1);
}

std::string origin_table(const std::vector<Json>& rows) {
  const std::vector<std::string> header{"row",       "steps",   "seed",   "parameters",
                                        "test rows", "machine", "command"};
  TextTable table(header, aligned(header));
  for (const Json& row : rows) {
    const Json& m = row["machine"];
    table.add_row({row["row"], format_count(row["steps"]), seeds_text(row),
                   format_count(row["parameters"]), format_count(row["test_rows"]),
                   m["cpu"].get<std::string>() + ", " + std::to_string(m["cores"].get<int64_t>()) +
                       " cores, " + std::to_string(m["threads"].get<int64_t>()) + " threads",
                   "`" + row["command"].get<std::string>() + "`"});
  }
  return table.markdown();
}

}  // namespace

Json report_json(const Table& table, const std::vector<Json>& rows,
                 const std::vector<std::string>& pictures, bool quick) {
  Json missing = Json::array();
  for (const RowOptions& row : table.options.rows) {
    const bool found =
        std::any_of(rows.begin(), rows.end(), [&](const Json& r) { return r["row"] == row.name; });
    if (!found) missing.push_back(row.name);
  }
  return {{"table", table.name},
          {"title", table.options.title},
          {"source", table.options.source},
          {"quick", quick},
          {"rows", rows},
          {"missing", missing},
          {"pictures", pictures}};
}

std::string report_markdown(const Json& report, const Table& table) {
  std::vector<Json> densities, pixels, regressions, all;
  for (const Json& row : report["rows"]) {
    (is_regression(row) ? regressions : is_of_pixels(row) ? pixels : densities).push_back(row);
    all.push_back(row);
  }
  std::string out = "# " + table.options.title + "\n\n";
  if (!table.options.source.empty()) out += table.options.source + "\n\n";
  if (report["quick"].get<bool>()) out += "**A quick run: its numbers mean nothing.**\n\n";
  for (const std::string& note : table.options.notes) out += note + "\n\n";
  if (!densities.empty()) out += density_table(densities) + "\n";
  if (!pixels.empty()) out += pixel_table(pixels) + "\n";
  if (!regressions.empty()) out += regression_table(regressions) + "\n";
  for (const Json& picture : report["pictures"]) {
    const std::string path = picture;
    out += "![" + fs::path(path).stem().string() + "](" + path + ")\n\n";
  }
  if (!report["missing"].empty()) {
    std::vector<std::string> names = report["missing"];
    out += "Not run yet: " + join(names, ", ") + ".\n\n";
  }
  return out + "## Where the numbers come from\n\n" + origin_table(all) + "\n" +
         "How to read this: [README.md](README.md).\n";
}

EarlierReport read_report(const fs::path& path) {
  if (!fs::exists(path)) return {};
  const Json report = parse_json(read_file(path, kMostReportBytes), path.string());
  const auto has_list = [&](const char* key) {
    return report.is_object() && report.contains(key) && report[key].is_array();
  };
  if (has_list("rows") && has_list("pictures")) {
    return {report["rows"], report["pictures"], report.value("quick", false)};
  }
  fail<ConfigError>("reproduce", path.string(), "a report of this command", "another file",
                    "Move it away, or choose another folder with --out.");
}

}  // namespace contraflow::cli
