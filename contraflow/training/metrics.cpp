#include "contraflow/training/metrics.h"

#include <c10/util/StringUtil.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "contraflow/core/error.h"
#include "contraflow/core/json.h"

namespace contraflow {
namespace {

using nlohmann::ordered_json;

// The step of a line that is a whole record.
std::optional<int64_t> step_of(const ordered_json& line) {
  if (!line.is_object() || !line.contains("step") || !line["step"].is_number_integer()) {
    return std::nullopt;
  }
  return line["step"].get<int64_t>();
}

}  // namespace

ordered_json metrics_to_json(const MetricsRecord& r) {
  ordered_json out{{"step", r.step},
                   {"loss", json_number(r.loss.mean)},
                   {"loss_standard_error", json_number(r.loss.standard_error)},
                   {"gradient_norm", json_number(r.gradient_norm)},
                   {"learning_rate", json_number(r.learning_rate)},
                   {"seconds", json_number(r.seconds)}};
  if (r.validation) {
    out["validation_loss"] = json_number(r.validation->mean);
    out["validation_standard_error"] = json_number(r.validation->standard_error);
    out["validation_rows"] = r.validation->count;
    out["is_best"] = r.is_best;
  }
  return out;
}

MetricsWriter::MetricsWriter(std::filesystem::path path, int64_t step)
    : path_(std::move(path)), file_(nullptr, &std::fclose) {
  truncate_after(step);
  file_.reset(std::fopen(path_.c_str(), "ab"));
  if (file_ != nullptr) return;
  fail<IoError>("metrics", path_.string(), "a file that can be written", std::strerror(errno),
                "Check the folder and its permissions.");
}

void MetricsWriter::truncate_after(int64_t step) {
  std::ifstream in(path_, std::ios::binary);
  if (!in) return;  // a new run
  uintmax_t keep = 0;
  int64_t number_of_line = 0;
  for (std::string text; std::getline(in, text);) {
    ++number_of_line;
    if (in.eof()) break;  // no newline at the end: cut short by a kill
    const ordered_json line = try_parse_json(text);
    const std::optional<int64_t> line_step = step_of(line);
    if (!line_step) {
      fail<IoError>("metrics", path_.string() + " line " + std::to_string(number_of_line),
                    "a JSON object with a step", c10::str("'", text.substr(0, 60), "'"),
                    "Repair or remove the file, or start over with --overwrite.");
    }
    if (*line_step > step) break;
    keep += text.size() + 1;
    if (line.contains("seconds") && line["seconds"].is_number()) seconds_ = line["seconds"];
  }
  in.close();
  std::error_code error;
  std::filesystem::resize_file(path_, keep, error);
  if (!error) return;
  fail<IoError>("metrics", path_.string(), "a file that can be written", error.message(),
                "Check its permissions.");
}

void MetricsWriter::write(const MetricsRecord& record) {
  const std::string line = json_text(metrics_to_json(record)) + "\n";
  const bool written = std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() &&
                       std::fflush(file_.get()) == 0;
  if (written) return;
  fail<IoError>("metrics", path_.string(), "room for one more line", std::strerror(errno),
                "Free disk space and resume the run.");
}

}  // namespace contraflow
