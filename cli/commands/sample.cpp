#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <utility>

#include "cli/commands/common.h"
#include "cli/commands/given.h"
#include "cli/figures.h"
#include "cli/image_figures.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/image_files.h"
#include "contraflow/data/rows.h"
#include "contraflow/evaluation/samples.h"
#include "contraflow/runs/model.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSampleExamples =
    "Examples:\n"
    "  contraflow sample runs/checkerboard -n 10000 -o samples.csv\n"
    "  contraflow sample runs/digits -n 64 -o digits.npy --temperature 0.8\n"
    "  contraflow sample runs/events -n 1000 -o new.csv --log-prob --seed 7\n"
    "  contraflow sample runs/labelled -n 100 -o threes.csv --given label=3\n"
    "  contraflow sample runs/mnist -n 64                     a grid of images, "
    "runs/mnist/sampled.png\n"
    "  contraflow sample runs/mnist -n 1000 -o images.npy     uint8 [1000, 1, 28, 28]; images/ for "
    ".png files\n\n"
    "Sample r depends on the seed and r alone, not on -n. Solves are certified: the report names "
    "the\n"
    "worst bound on the Euclidean distance of a sample to the exact inverse. Integer columns come\n"
    "out as integers, bounded ones inside their bounds; --log-prob of integers is log P of the "
    "row. --temperature scales the base's spread.\n"
    "Images: FILE.png is one picture of all of them, FILE.npy has the levels as they are, a "
    "FOLDER/ "
    "gets\n"
    "000000.png and on (fewer levels than 256 are spread over 0 .. 255), and a table has a column "
    "for "
    "each pixel.\n";

struct SampleCommandArguments {
  std::string run, output;
  int64_t count = 0;
  double temperature = 1.0;
  int64_t seed = 0;
  int64_t batch = 0;
  bool log_prob = false;
  std::vector<std::string> given;
  FloatType dtype = FloatType::kFloat64;
  DeviceKind device = DeviceKind::kCpu;
};

struct SampleTotals {
  double worst_bound = 0.0;          ///< Infinite where it is not known.
  std::optional<Estimate> log_prob;  ///< Unset where none was computed.
};

// An .npy file has no names: its columns go as in the training's file, where other commands look for
// them by their numbers. Places of the model's columns.
std::vector<int64_t> output_order(const std::string& output, const data::Columns& columns) {
  std::vector<int64_t> order(static_cast<size_t>(columns.dim()));
  std::iota(order.begin(), order.end(), 0);
  if (data::is_text_file(output) || columns.file_numbers.size() < order.size()) return order;
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return columns.file_numbers[static_cast<size_t>(a)] <
           columns.file_numbers[static_cast<size_t>(b)];
  });
  return order;
}

std::vector<std::string> output_columns(const data::Columns& columns, bool log_prob) {
  std::vector<std::string> names = columns.names;
  while (std::ssize(names) < columns.dim()) names.push_back("x" + std::to_string(names.size()));
  if (log_prob) names.emplace_back("log_prob");
  return names;
}

// Whole numbers stay whole in the file only if no other column needs a fraction.
at::ScalarType output_type(const Model& model, bool log_prob) {
  return model.columns.levels > 0 && !log_prob ? at::kLong : at::kDouble;
}

/// log P of drawn rows of steps, by draws of the noise in them. Equal rows get equal values: each is
/// scored when it is first seen.
class RowProbabilities {
 public:
  RowProbabilities(const Model& model, int64_t seed, at::Tensor given)
      : model_(model), rng_(score_rng(seed)), given_(std::move(given)) {}

  /// [n] of rows [n] + event.
  at::Tensor operator()(const at::Tensor& rows) {
    std::vector<int64_t> fresh;
    std::vector<std::string> keys;
    for (int64_t r = 0; r < rows.size(0); ++r) {
      const at::Tensor row = rows[r].contiguous();
      keys.emplace_back(static_cast<const char*>(row.const_data_ptr()), row.nbytes());
      const auto place = static_cast<int64_t>(known_.size());
      if (known_.emplace(keys.back(), place).second) fresh.push_back(r);
    }
    if (!fresh.empty()) score(rows.index_select(0, at::tensor(fresh, at::kLong)));
    at::Tensor out = at::empty({rows.size(0)}, at::kDouble);
    for (int64_t r = 0; r < rows.size(0); ++r) {
      const auto place = static_cast<size_t>(known_.at(keys[static_cast<size_t>(r)]));
      out[r] = values_[place];
    }
    return out;
  }

 private:
  void score(const at::Tensor& rows) {
    constexpr int64_t kDraws = 32;
    const at::Tensor condition =
        given_.defined() ? given_.expand({rows.size(0), -1}) : at::Tensor();
    const data::Batch batch{.x = rows, .condition = condition, .first_row = std::ssize(values_)};
    const LogProbWithError scores =
        score_batch(*model_.flow, batch, {.replicates = kDraws, .rng = rng_});
    const at::Tensor value = scores.log_mean.contiguous();
    const double* first = value.const_data_ptr<double>();
    values_.insert(values_.end(), first, first + value.numel());
  }

  const Model& model_;
  Rng rng_;
  at::Tensor given_;
  std::unordered_map<std::string, int64_t> known_;
  std::vector<double> values_;
};

DrawOptions draw_options(const SampleCommandArguments& a, const at::Tensor& given,
                         bool wants_log_prob) {
  return {.count = a.count,
          .rng = sample_rng(a.seed),
          .temperature = a.temperature,
          .given = given,
          .batch = a.batch,
          .wants_log_prob = wants_log_prob};
}

SampleTotals write_samples(const SampleCommandArguments& a, const Model& model,
                           data::RowWriter& writer, RowProgress& progress) {
  const at::Tensor given = given_condition(a.given, model.columns);
  const DrawOptions options = draw_options(a, given, /*wants_log_prob=*/true);
  SampleTotals totals{.log_prob = Estimate{}};
  const at::Tensor order = at::tensor(output_order(a.output, model.columns), at::kLong);
  RowProbabilities probabilities(model, a.seed, given);
  const bool of_cells = model.columns.has_steps() && model.flow->noise_only();
  draw_in_chunks(*model.flow, options, [&](const SampleWithLogProb& drawn, int64_t first) {
    const at::Tensor events = inside_bounds(drawn.sample, model.columns);
    const at::Tensor rows = events.flatten(1);
    const bool probable = a.log_prob && of_cells;  // costs scores, where the density is at hand
    const at::Tensor log_prob =
        probable ? probabilities(events)
                 : log_prob_of_rounded(
                       *model.flow, model.columns,
                       {.sample = rows, .log_prob = drawn.log_prob, .error_bound = {}}, given);
    at::Tensor out = rows.flatten(1).index_select(1, order);
    if (a.log_prob) out = at::cat({out, log_prob.unsqueeze(1)}, 1);
    writer.append(out.to(output_type(model, a.log_prob)));
    totals.worst_bound = std::max(totals.worst_bound, drawn.error_bound.max().item<double>());
    totals.log_prob = combined(*totals.log_prob, mean_and_error(log_prob));
    progress.done(first + out.size(0));
  });
  return totals;
}

std::string bound_text(const SampleTotals& totals) {
  if (totals.worst_bound == 0.0) return "0, the inverse is explicit";
  if (!std::isfinite(totals.worst_bound)) {
    return "within the tolerance before it is rounded to integers";
  }
  return "at most " + scientific(totals.worst_bound) + " (certified, Euclidean, worst sample)";
}

// ------------------------------------------------------------------------------------- images

// One picture of all samples.
class GridWriter final : public data::ImageWriter {
 public:
  GridWriter(std::string path, const Model& model) : path_(std::move(path)), model_(model) {}
  void append(const at::Tensor& images) override { images_.push_back(images); }
  void finish() override {
    draw_image_samples(at::cat(images_), model_.columns, title_of(data_name()), path_);
  }

 private:
  std::string data_name() const {
    return model_.run ? model_.run->data.name : model_.checkpoint_path.string();
  }

  std::string path_;
  const Model& model_;
  std::vector<at::Tensor> images_;
};

bool is_picture(const std::string& path) {
  return std::filesystem::path(path).extension() == ".png";
}

// Rows of pixels go to .npy as rows, as always.
bool wants_images(const SampleCommandArguments& a, const data::Columns& columns) {
  if (!is_image(columns)) return false;
  if (is_picture(a.output) || data::is_folder_path(a.output)) return true;
  return has_image_events(columns) && !data::is_text_file(a.output);
}

// Rows and images have formats in common; which of the two a model draws is known once it is loaded.
[[noreturn]] void fail_output(const std::string& output) {
  fail<ConfigError>("sample", "--out",
                    "a table .csv, .tsv or .txt, or .npy; of images also .png, one picture of all, "
                    "or a FOLDER/ of pictures",
                    "'" + shorten(output) + "'",
                    "Choose one of these endings; a folder ends in a slash.");
}

void check_image_output(const SampleCommandArguments& a) {
  constexpr int64_t kMostInPicture = 1024;
  const bool array = std::filesystem::path(a.output).extension() == ".npy";
  if (!array && !is_picture(a.output) && !data::is_folder_path(a.output)) fail_output(a.output);
  if (a.log_prob) {
    fail<ConfigError>("sample", "--log-prob", "a table, FILE.csv, for a column beside the pixels",
                      "'" + shorten(a.output) + "'",
                      "Drop it, and score the images with 'contraflow score'.");
  }
  if (!is_picture(a.output) || a.count <= kMostInPicture) return;
  fail<ConfigError>("sample", "--count",
                    "at most " + format_count(kMostInPicture) + " images in one picture",
                    format_count(a.count), "Write FILE.npy, or a FOLDER/ of pictures.");
}

std::unique_ptr<data::ImageWriter> image_writer(const SampleCommandArguments& a,
                                                const Model& model) {
  if (is_picture(a.output)) return std::make_unique<GridWriter>(a.output, model);
  return data::create_images(a.output, model.columns.image, model.columns.levels, a.count);
}

SampleTotals write_images(const SampleCommandArguments& a, const Model& model,
                          RowProgress& progress) {
  check_image_output(a);
  const at::Tensor given = given_condition(a.given, model.columns);
  const auto writer = image_writer(a, model);
  std::vector<int64_t> shape{-1};
  shape.insert(shape.end(), model.columns.image.begin(), model.columns.image.end());
  SampleTotals totals;
  draw_in_chunks(*model.flow, draw_options(a, given, /*wants_log_prob=*/false),
                 [&](const SampleWithLogProb& drawn, int64_t first) {
                   writer->append(drawn.sample.reshape(shape));
                   totals.worst_bound =
                       std::max(totals.worst_bound, drawn.error_bound.max().item<double>());
                   progress.done(first + drawn.sample.size(0));
                 });
  writer->finish();
  return totals;
}

SampleTotals write_rows(const SampleCommandArguments& a, const Model& model,
                        RowProgress& progress) {
  const auto writer = data::create_rows(a.output, output_columns(model.columns, a.log_prob),
                                        output_type(model, a.log_prob));
  const SampleTotals totals = write_samples(a, model, *writer, progress);
  writer->finish();
  return totals;
}

// Where images go that were given no place.
std::string output_of(const SampleCommandArguments& a, const Model& model) {
  if (!a.output.empty()) return a.output;
  if (has_image_events(model.columns)) return (model.folder() / "sampled.png").string();
  fail<ConfigError>("sample", "--out", "a file to write: .csv, .tsv, .txt or .npy", "none",
                    "For example --out samples.csv.");
}

void check_sample_output(const std::string& output) {
  if (output.empty() || is_picture(output) || data::is_folder_path(output)) return;
  if (!data::is_row_file(output)) fail_output(output);
}

// A picture and a folder are for images.
void check_place(const std::string& output, const data::Columns& columns) {
  if (is_image(columns) || data::is_row_file(output)) return;
  fail<ConfigError>("sample", "--out", "a name that ends in .csv, .tsv, .txt or .npy, for rows",
                    "'" + shorten(output) + "'", "Pictures and folders of them are for images.");
}

int run_sample(SampleCommandArguments a, const Console& console) {
  check_sample_output(a.output);  // before the model is loaded
  const Model model = load(a.run, {.dtype = a.dtype, .device = a.device});
  a.output = output_of(a, model);
  check_place(a.output, model.columns);
  const bool images = wants_images(a, model.columns);
  const std::string word = images ? "image" : "row";
  RowProgress progress(console, "sampling", a.count, word + "s");
  const SampleTotals totals =
      images ? write_images(a, model, progress) : write_rows(a, model, progress);
  const Json json{{"command", "sample"},
                  {"checkpoint", model.checkpoint_path.string()},
                  {"output", a.output},
                  {"rows", a.count},
                  {"temperature", a.temperature},
                  {"seed", a.seed},
                  {"worst_error_bound", json_number(totals.worst_bound)},
                  {"mean_log_prob", totals.log_prob ? estimate_json(*totals.log_prob) : Json()},
                  {"rows_per_second", json_number(progress.rows_per_second())}};
  Facts facts;
  facts.add("samples", format_count(a.count) +
                           (images ? " images " + data::image_size_text(model.columns.image) : "") +
                           " in " + a.output);
  facts.add("error", bound_text(totals));
  if (totals.log_prob)
    facts.add("mean log p(x)", with_error(*totals.log_prob) + " nats per " + word);
  facts.add("time", format_duration(progress.seconds()) + ", " +
                        rate_text(progress.rows_per_second()) + " " + word + "s/s");
  console.result(json, facts.str());
  return 0;
}

}  // namespace

Command add_sample(CLI::App& parent) {
  Command command = new_command(
      parent, "sample", "Draw rows or images from a trained flow into a file.", kSampleExamples);
  const auto a = std::make_shared<SampleCommandArguments>();
  CLI::App& app = *command.app;
  add_model_argument(app, a->run);
  app.add_option("-n,--count", a->count, "Number of samples.")
      ->required()
      ->check(integer_range(1, kMostInteger));
  app.add_option("-o,--out", a->output,
                 "File to write: .csv, .tsv, .txt or .npy; of images also .png, one picture, or a "
                 "FOLDER/ of them. Default, for images: sampled.png in the run's folder.");
  app.add_option("--temperature", a->temperature,
                 "Factor on the spread of the base; 1 = the model.")
      ->check(positive_number())
      ->capture_default_str();
  app.add_option("--seed", a->seed, "Seed of the samples.")
      ->check(integer_range(0, kMostInteger))
      ->capture_default_str();
  app.add_flag("--log-prob", a->log_prob, "Add a column log_prob, in nats at temperature 1.");
  add_given_option(app, a->given);
  add_batch_option(app, a->batch);
  add_dtype_option(app, a->dtype);
  add_device_option(app, a->device);
  command.run = [a](const Console& console) { return run_sample(*a, console); };
  return command;
}

}  // namespace contraflow::cli
