#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/column_choice.h"
#include "cli/commands/common.h"
#include "cli/commands/given.h"
#include "cli/figures.h"
#include "cli/image_figures.h"
#include "cli/plot/column_maps.h"
#include "cli/plot/marginals.h"
#include "cli/plot/pairs.h"
#include "cli/table_figures.h"
#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/runs/model.h"

namespace contraflow::cli {

enum class PlotKind { kAll, kDensity, kWarp, kCurves, kSamples, kReconstructions, kPairs, kMaps };

constexpr auto enum_names(PlotKind) {
  return std::array{std::pair{"all", PlotKind::kAll},
                    std::pair{"density", PlotKind::kDensity},
                    std::pair{"warp", PlotKind::kWarp},
                    std::pair{"curves", PlotKind::kCurves},
                    std::pair{"samples", PlotKind::kSamples},
                    std::pair{"reconstructions", PlotKind::kReconstructions},
                    std::pair{"pairs", PlotKind::kPairs},
                    std::pair{"maps", PlotKind::kMaps}};
}
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kPlotExamples =
    "Examples:\n"
    "  contraflow plot runs/checkerboard               everything that fits the data, as PNG\n"
    "  contraflow plot runs/digits --kind samples\n"
    "  contraflow plot runs/labelled --given label=3 --out pictures\n"
    "  contraflow plot runs/events --kind pairs --columns price,visits,share\n\n"
    "density  two columns: data (or the target of an energy), samples and model density side by "
    "side\n"
    "warp     two columns: a grid of the base space carried to the data\n"
    "curves   losses over the steps of the run\n"
    "samples  images of data and samples where rows are images (data.image); each column's "
    "distribution\n"
    "reconstructions  images, what they are after the way to the latent and back, and where they "
    "differ\n"
    "pairs    columns against each other, data below and samples above the diagonal\n"
    "maps     the curve that takes each column of a table to normal scores\n\n"
    "Without the training's data the model alone is drawn.\n";

struct PlotArguments {
  std::string run, out;
  PlotKind kind = PlotKind::kAll;
  std::vector<std::string> given, columns;
  int64_t samples = 4000;
  bool allow_changed = false;
  FloatType dtype = FloatType::kFloat32;
  DeviceKind device = DeviceKind::kCpu;
};

/// The data of the run. Nothing where they are not needed, or gone, which a note says.
std::optional<data::Dataset> data_of(const PlotArguments& a, const Model& model,
                                     const Console& console) {
  if (a.kind == PlotKind::kCurves) return std::nullopt;
  if (!model.run) {
    console.note("pictures show the model alone: it has no config that names its data");
    return std::nullopt;
  }
  try {
    return open_data(model, a.allow_changed);
  } catch (const IoError& error) {
    console.note(std::string("pictures show the model alone, without its data: ") + error.what());
    return std::nullopt;
  }
}

std::string title_of_model(const Model& model) {
  return title_of(model.run ? model.run->data.name : model.checkpoint_path.string());
}

/// Draws what was asked for; "all" leaves out what the model cannot show.
class Plotter {
 public:
  Plotter(const PlotArguments& a, const Model& model, const Console& console)
      : arguments_(a),
        model_(model),
        console_(console),
        folder_(a.out.empty() ? model.folder() : fs::path(a.out)),
        dataset_(data_of(a, model, console)),
        input_{*model.flow,
               model.columns,
               dataset_ ? &*dataset_ : nullptr,
               title_of_model(model),
               {},
               a.samples,
               column_numbers(a.columns, model.columns)},
        progress_(console, "drawing", pictures(), "pictures") {}

  std::vector<fs::path> draw() {
    if (wants(PlotKind::kCurves)) draw_curves();
    const bool needs_flow = arguments_.kind != PlotKind::kCurves;
    if (!needs_flow) return drawn_;
    for (const std::string& note : undrawable_names(model_.columns)) console_.note(note);
    input_.given = given_condition(arguments_.given, model_.columns);
    if (wants(PlotKind::kDensity) && allowed("density")) add("density.png", draw_density);
    if (wants(PlotKind::kWarp) && allowed("warp")) add("warp.png", draw_base_warp);
    if (wants(PlotKind::kSamples)) {
      if (is_image(model_.columns)) add("samples.png", draw_images);
      if (!has_image_events(model_.columns)) add("marginals.png", draw_columns, plot::kMostColumns);
    }
    if (wants(PlotKind::kReconstructions) && has_reconstructions())
      add("reconstructions.png", draw_reconstructions);
    if (wants(PlotKind::kPairs) && has_pairs()) {
      add("pairs.png", draw_column_pairs, plot::kMostPairs);
    }
    if (wants(PlotKind::kMaps) && has_maps()) {
      add("maps.png", draw_column_curves, plot::kMostCurves);
    }
    return drawn_;
  }

 private:
  bool wants(PlotKind kind) const {
    return arguments_.kind == kind || arguments_.kind == PlotKind::kAll;
  }

  // At most; what a model cannot show is left out on the way.
  int64_t pictures() const {
    const bool map = has_density_map(model_.columns);
    int64_t count = wants(PlotKind::kCurves) ? 1 : 0;
    if (map && wants(PlotKind::kDensity)) ++count;
    if (map && wants(PlotKind::kWarp)) ++count;
    if (wants(PlotKind::kSamples)) count += is_image(model_.columns) ? 2 : 1;
    if (wants(PlotKind::kReconstructions) && is_image(model_.columns)) ++count;
    if (wants(PlotKind::kPairs)) ++count;
    if (wants(PlotKind::kMaps)) ++count;
    return count;
  }

  void draw_curves() {
    const fs::path metrics = model_.folder() / "metrics.jsonl";
    if (arguments_.kind == PlotKind::kAll && !fs::exists(metrics)) return;
    const std::optional<LeastLoss> least =
        model_.run ? least_loss(model_.config(), model_.columns) : std::nullopt;
    draw_run_curves(metrics, least, model_.columns, title_of_model(model_), folder_ / "curves.png");
    drawn_.push_back(folder_ / "curves.png");
  }

  // Whether to draw; an error if a picture was asked for by name that cannot be.
  bool can_draw(bool possible, const char* kind, const char* expected,
                const std::string& got) const {
    if (possible || arguments_.kind == PlotKind::kAll) return possible;
    fail<ConfigError>("plot", std::string("--kind ") + kind, expected, got, "Use --kind samples.");
  }

  bool allowed(const char* kind) const {
    return can_draw(has_density_map(model_.columns), kind, "a model of two continuous columns",
                    std::to_string(model_.columns.dim()) +
                        (model_.columns.levels > 0 ? " integer columns" : " columns"));
  }

  // Of rows of pixels only on demand: they have other pictures.
  bool has_reconstructions() const {
    const bool possible = is_image(model_.columns) && dataset_;
    if (arguments_.kind == PlotKind::kAll && !has_image_events(model_.columns)) return false;
    return can_draw(possible, "reconstructions", "a model of images, and their data",
                    is_image(model_.columns) ? "images that are gone" : "a model of other rows");
  }

  bool has_pairs() const {
    // Pixels by themselves say little about images: only on demand.
    if (arguments_.kind == PlotKind::kAll && is_image(model_.columns)) return false;
    if (has_image_events(model_.columns)) return has_columns("pairs");
    const size_t count =
        input_.chosen.empty() ? static_cast<size_t>(model_.columns.dim()) : input_.chosen.size();
    return can_draw(count >= 2, "pairs", "two columns or more", std::to_string(count));
  }

  bool has_maps() const {
    if (arguments_.kind == PlotKind::kAll && is_image(model_.columns)) return false;
    if (has_image_events(model_.columns)) return has_columns("maps");
    return can_draw(has_column_maps(*model_.flow), "maps",
                    "a flow that begins with a curve for each column", "one without");
  }

  // Images have none to draw one by one.
  bool has_columns(const char* kind) const {
    return can_draw(false, kind, "a model of rows of columns", events_text(model_.columns));
  }

  void add(const char* name, void (*picture)(const FigureInput&, const fs::path&),
           std::optional<size_t> most = {}) {
    progress_.done(std::ssize(drawn_));
    picture(input_, folder_ / name);
    drawn_.push_back(folder_ / name);
    if (most) say_choice(name, *most);
  }

  // Which columns a picture has, where it has not all that were wanted.
  void say_choice(const std::string& picture, size_t most) const {
    const size_t wanted =
        input_.chosen.empty() ? static_cast<size_t>(model_.columns.dim()) : input_.chosen.size();
    const std::vector<int64_t> shown = shown_columns(input_, most);
    if (shown.size() >= wanted) return;
    std::vector<std::string> names;
    for (const int64_t k : shown) {
      names.push_back(drawn_name(model_.columns, static_cast<size_t>(k)));
    }
    console_.note(picture + " shows " + std::to_string(shown.size()) + " of " +
                  std::to_string(wanted) + " columns: " + shorten(join(names, ", "), 200) +
                  "; choose others with --columns");
  }

  const PlotArguments& arguments_;
  const Model& model_;
  const Console& console_;
  fs::path folder_;
  std::optional<data::Dataset> dataset_;
  FigureInput input_;
  RowProgress progress_;
  std::vector<fs::path> drawn_;
};

int run_plot(const PlotArguments& a, const Console& console) {
  const Model model = load(a.run, {.dtype = a.dtype, .device = a.device});
  if (!a.columns.empty() && has_image_events(model.columns)) {
    fail<ConfigError>("plot", "--columns", "nothing, for a model of images",
                      shorten(join(a.columns, ",")), "Drop it.");
  }
  std::error_code error;
  if (!a.out.empty()) fs::create_directories(a.out, error);
  if (!a.out.empty() && !fs::is_directory(a.out)) {
    fail<IoError>("plot", a.out, "a folder that can be made", error ? error.message() : "a file",
                  "Choose another folder with --out.");
  }
  const std::vector<fs::path> drawn = Plotter(a, model, console).draw();
  Json json{{"command", "plot"},
            {"checkpoint", model.checkpoint_path.string()},
            {"pictures", Json::array()}};
  Facts facts;
  for (const fs::path& picture : drawn) {
    json["pictures"].push_back(picture.string());
    facts.add("picture", picture.string());
  }
  console.result(json, facts.str());
  return 0;
}

}  // namespace

Command add_plot(CLI::App& parent) {
  Command command =
      new_command(parent, "plot", "Draw a trained flow and its run as PNG files.", kPlotExamples);
  const auto a = std::make_shared<PlotArguments>();
  CLI::App& app = *command.app;
  add_model_argument(app, a->run);
  add_changed_data_option(app, a->allow_changed);
  add_choice(app, "--kind", a->kind, "What to draw; all = what fits the data.");
  app.add_option("--out", a->out, "Folder of the pictures; default: that of the run.");
  app.add_option("--samples", a->samples, "Samples to draw.")
      ->check(integer_range(2, 1'000'000))
      ->capture_default_str();
  app.add_option("--columns", a->columns,
                 "Columns to draw one by one and in pairs, with commas between them; default: as "
                 "many as fit.")
      ->delimiter(',')
      ->allow_extra_args(false);
  add_given_option(app, a->given);
  add_dtype_option(app, a->dtype);
  add_device_option(app, a->device);
  command.run = [a](const Console& console) { return run_plot(*a, console); };
  return command;
}

}  // namespace contraflow::cli
