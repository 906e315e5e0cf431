#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands/common.h"
#include "cli/commands/given.h"
#include "cli/figures.h"
#include "contraflow/core/error.h"
#include "contraflow/runs/model.h"

namespace contraflow::cli {

enum class PlotKind { kAll, kDensity, kWarp, kCurves, kSamples };

constexpr auto enum_names(PlotKind) {
  return std::array{std::pair{"all", PlotKind::kAll}, std::pair{"density", PlotKind::kDensity},
                    std::pair{"warp", PlotKind::kWarp}, std::pair{"curves", PlotKind::kCurves},
                    std::pair{"samples", PlotKind::kSamples}};
}
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kPlotExamples =
    "Examples:\n"
    "  contraflow plot runs/checkerboard               everything that fits the data, as PNG\n"
    "  contraflow plot runs/digits --kind samples\n"
    "  contraflow plot runs/labelled --given label=3 --out pictures\n\n"
    "density  two columns: data (or the target of an energy), model density and samples side by "
    "side\n"
    "warp     two columns: a grid of the base space carried to the data\n"
    "curves   losses over the steps of the run\n"
    "samples  images of data and samples where rows are images (data.image); each column's "
    "distribution\n";

struct PlotArguments {
  std::string run, out;
  PlotKind kind = PlotKind::kAll;
  std::vector<std::string> given;
  int64_t samples = 4000;
  bool allow_changed = false;
  FloatType dtype = FloatType::kFloat32;
  DeviceKind device = DeviceKind::kCpu;
};

/// Draws what was asked for; "all" leaves out what the model cannot show.
class Plotter {
 public:
  Plotter(const PlotArguments& a, const Model& model, const Console& console)
      : arguments_(a),
        model_(model),
        folder_(a.out.empty() ? model.folder() : fs::path(a.out)),
        dataset_(open_data(model, a.allow_changed)),
        input_{*model.flow, model.columns, dataset_, title_of(dataset_), {}, a.samples},
        progress_(console, "drawing", pictures(), "pictures") {}

  std::vector<fs::path> draw() {
    if (wants(PlotKind::kCurves)) draw_curves();
    const bool needs_flow = arguments_.kind != PlotKind::kCurves;
    if (!needs_flow) return drawn_;
    input_.given = given_condition(arguments_.given, model_.columns);
    if (wants(PlotKind::kDensity) && allowed("density")) add("density.png", draw_density);
    if (wants(PlotKind::kWarp) && allowed("warp")) add("warp.png", draw_base_warp);
    if (!wants(PlotKind::kSamples)) return drawn_;
    if (is_image(model_.columns)) add("samples.png", draw_images);
    add("marginals.png", draw_columns);
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
    return count;
  }

  void draw_curves() {
    const fs::path metrics = model_.folder() / "metrics.jsonl";
    if (arguments_.kind == PlotKind::kAll && !fs::exists(metrics)) return;
    draw_run_curves(metrics, least_loss(model_.config(), model_.columns), title_of(dataset_),
                    folder_ / "curves.png");
    drawn_.push_back(folder_ / "curves.png");
  }

  bool allowed(const char* kind) const {
    if (has_density_map(model_.columns)) return true;
    if (arguments_.kind == PlotKind::kAll) return false;
    fail<ConfigError>("plot", std::string("--kind ") + kind, "a model of two continuous columns",
                      std::to_string(model_.columns.dim()) +
                          (model_.columns.levels > 0 ? " integer columns" : " columns"),
                      "Use --kind samples.");
  }

  void add(const char* name, void (*picture)(const FigureInput&, const fs::path&)) {
    progress_.done(std::ssize(drawn_));
    picture(input_, folder_ / name);
    drawn_.push_back(folder_ / name);
  }

  const PlotArguments& arguments_;
  const Model& model_;
  fs::path folder_;
  data::Dataset dataset_;
  FigureInput input_;
  RowProgress progress_;
  std::vector<fs::path> drawn_;
};

int run_plot(const PlotArguments& a, const Console& console) {
  const Model model = load(a.run, {.dtype = a.dtype, .device = a.device});
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
  add_given_option(app, a->given);
  add_dtype_option(app, a->dtype);
  add_device_option(app, a->device);
  command.run = [a](const Console& console) { return run_plot(*a, console); };
  return command;
}

}  // namespace contraflow::cli
