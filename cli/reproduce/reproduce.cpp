#include "cli/reproduce/reproduce.h"

#include <algorithm>
#include <map>

#include "cli/reproduce/pictures.h"
#include "cli/reproduce/report.h"
#include "cli/reproduce/row.h"
#include "cli/signals.h"
#include "cli/training_run.h"
#include "contraflow/core/error.h"
#include "contraflow/core/file.h"
#include "contraflow/core/json.h"
#include "contraflow/core/text.h"

namespace contraflow::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kMostResultBytes = 16 << 20;

void make_folder(const fs::path& path, const char* option) {
  std::error_code error;
  fs::create_directories(path, error);
  if (fs::is_directory(path)) return;
  fail<IoError>("reproduce", path.string(), "a folder that can be made",
                error ? error.message() : "a file",
                std::string("Choose another with ") + option + ".");
}

/// "about 2 h 10 min left": expected minutes of the rows to come, corrected by how long the rows
/// before took. Nothing where a row does not say what to expect.
class TimeLeft {
 public:
  void finished(const RowOptions& row, double seconds) {
    expected_ += 60.0 * row.minutes;
    taken_ += seconds;
  }
  std::string text(std::vector<RowOptions>::const_iterator from,
                   std::vector<RowOptions>::const_iterator to) const {
    double minutes = 0.0;
    for (auto row = from; row != to; ++row) {
      if (row->minutes <= 0.0) return "";
      minutes += row->minutes;
    }
    const double ratio = expected_ > 0.0 ? taken_ / expected_ : 1.0;
    return ", about " + format_duration(60.0 * minutes * ratio) + " left for the table";
  }

 private:
  double expected_ = 0.0, taken_ = 0.0;
};

class Reproduction {
 public:
  Reproduction(const ReproduceOptions& options, const Console& console)
      : console_(console),
        quick_(options.quick),
        table_(load_table(options.table, options.configs)),
        rows_(select_rows(table_, options.rows)) {
    runs_ = options.runs;
    if (runs_.empty())
      runs_ = fs::path("runs") / "papers" / (table_.name + (quick_ ? "-quick" : ""));
    out_ = options.out;
    if (out_.empty()) out_ = quick_ ? runs_ : fs::path("docs") / "results";
  }

  int run();

 private:
  RowJob job(const RowOptions& row) const {
    return {table_, row, quick_, runs_ / row.name, console_};
  }
  fs::path report_path(const char* extension) const { return out_ / (table_.name + extension); }
  void check_configs() const;
  void read_earlier();
  std::optional<Json> finished(const RowJob& job) const;
  bool run_one(const RowJob& job);
  /// Pictures are of all rows together: `draw` them when the last one is done.
  Json write_report(bool draw);
  std::string summary(const Json& report) const;
  bool all_hold() const;

  const Console& console_;
  bool quick_;
  Table table_;
  std::vector<RowOptions> rows_;
  fs::path runs_, out_;
  std::map<std::string, Json> results_;
  std::vector<std::string> pictures_;  ///< Names of the whole table's.
  TimeLeft time_left_;
};

// Every row's, before the first one is trained: a slip in the last row should not take hours to
// find.
void Reproduction::check_configs() const {
  for (const RowOptions& row : rows_) {
    const std::string where = (table_.folder / row.config).string();
    resolved_config(row.kind, row_config(table_, row, quick_), where);
  }
}

// Numbers that stand in the report and come from another place, and those of this one.
void Reproduction::read_earlier() {
  const EarlierReport earlier = read_report(report_path(".json"));
  if (earlier.quick == quick_) {  // else its numbers are of another kind
    pictures_ = earlier.pictures;
    for (const Json& row : earlier.rows) results_[row["row"]] = row;
  }
  for (const RowOptions& row : table_.options.rows) {
    if (const auto result = finished(job(row))) results_[row.name] = *result;
  }
}

std::optional<Json> Reproduction::finished(const RowJob& job) const {
  const fs::path path = job.run_folder / "result.json";
  if (!fs::exists(path)) return std::nullopt;
  const Json result = parse_json(read_file(path, kMostResultBytes), path.string());
  if (result.is_object() && result.contains("certificate")) return result;
  fail<ConfigError>("reproduce", path.string(), "the result of a row", "another file",
                    "Remove it to measure the row again.");
}

// False if Ctrl-C stopped it.
bool Reproduction::run_one(const RowJob& job) {
  std::optional<Json> result = run_row(job);
  if (!result) return false;
  atomic_write(job.run_folder / "result.json", json_text(*result, 2) + "\n");
  time_left_.finished(job.row, (*result)["seconds"].get<double>());
  results_[job.row.name] = std::move(*result);
  return true;
}

Json Reproduction::write_report(bool draw) {
  std::vector<Json> rows;
  for (const RowOptions& row : table_.options.rows) {
    const auto found = results_.find(row.name);
    if (found != results_.end()) rows.push_back(found->second);
  }
  if (draw) pictures_ = draw_table_pictures(table_, rows, runs_, out_ / table_.name);
  Json report = report_json(table_, rows, pictures_, quick_);
  atomic_write(report_path(".json"), json_text(report, 2) + "\n");
  atomic_write(report_path(".md"), report_markdown(report, table_));
  return report;
}

std::string Reproduction::summary(const Json& report) const {
  TextTable table({"row", "ours", "paper", "minutes", "inverse"},
                  {Align::kLeft, Align::kRight, Align::kRight, Align::kRight, Align::kLeft});
  for (const Json& row : report["rows"]) {
    const bool error = row.contains("mse"), bits = row.contains("bits_per_dim");
    const double value = row[error ? "mse" : bits ? "bits_per_dim" : "nll"].get<double>();
    const char* spread = bits ? "bits_per_dim_standard_error" : "standard_error";
    const std::string paper = row.contains("paper_text") ? row["paper_text"].get<std::string>()
                              : row["paper"].is_number()
                                  ? (error ? scientific(row["paper"]) : fixed(row["paper"], 3))
                                  : "";
    table.add_row({row["row"],
                   error ? scientific(value) : with_error({value, row[spread].get<double>(), 0}),
                   paper, fixed(row["seconds"].get<double>() / 60.0, 1),
                   row["certificate"]["holds"].get<bool>() ? console_.good("proven")
                                                           : console_.bad("does not hold")});
  }
  Facts facts;
  facts.add("table", report_path(".md").string());
  facts.add("numbers", report_path(".json").string());
  facts.add("pictures", (out_ / table_.name).string());
  if (!report["missing"].empty()) {
    facts.add("not run", format_count(std::ssize(report["missing"])) + " rows");
  }
  return table.str() + "\n" + facts.str();
}

bool Reproduction::all_hold() const {
  return std::all_of(rows_.begin(), rows_.end(), [this](const RowOptions& row) {
    return results_.at(row.name)["certificate"]["holds"].get<bool>();
  });
}

int Reproduction::run() {
  check_configs();
  make_folder(out_ / table_.name, "--out");
  make_folder(runs_, "--runs");
  read_earlier();
  for (auto row = rows_.cbegin(); row != rows_.cend(); ++row) {
    const RowJob next = job(*row);
    const std::string place = "[" + std::to_string(row - rows_.cbegin() + 1) + "/" +
                              std::to_string(rows_.size()) + "] " + row->name + ": ";
    if (finished(next)) {
      const std::string where = (table_.folder / row->config).string();
      check_run_config(next, resolved_config(row->kind, row_config(table_, *row, quick_), where));
      console_.note(place + "finished before");
      continue;
    }
    console_.note(place + "training in " + next.run_folder.string() +
                  (quick_ ? "" : time_left_.text(row, rows_.cend())));
    if (!run_one(next)) {
      console_.note("stopped by " + signal_name(stop_signal()) +
                    "; the same command goes on from here");
      return stopped_exit_code();
    }
    write_report(/*draw=*/false);
  }
  const Json report = write_report(/*draw=*/true);
  console_.result(report, summary(report));
  return all_hold() ? 0 : 1;
}

}  // namespace

int reproduce(const ReproduceOptions& options, const Console& console) {
  return Reproduction(options, console).run();
}

int list_tables(const fs::path& configs, const Console& console) {
  Json json = Json::array();
  TextTable text({"table", "rows", "expected", "what"},
                 {Align::kLeft, Align::kRight, Align::kRight, Align::kLeft});
  for (const std::string& name : table_names(configs)) {
    const Table table = load_table(name, configs);
    double minutes = 0.0;
    Json rows = Json::array();
    for (const RowOptions& row : table.options.rows) {
      if (!row.on_request) minutes += row.minutes;
      rows.push_back(row.name);
    }
    json.push_back({{"table", name},
                    {"title", table.options.title},
                    {"rows", rows},
                    {"expected_minutes", minutes}});
    text.add_row({name, std::to_string(table.options.rows.size()), format_duration(60.0 * minutes),
                  table.options.title});
  }
  if (json.empty()) load_table("", configs);  // says that there is none, and what to do
  console.result({{"command", "reproduce"}, {"tables", json}}, text.str());
  return 0;
}

}  // namespace contraflow::cli
