#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/runs/run_config.h"

namespace contraflow::cli {

/// What a picture of a trained flow is made from.
struct FigureInput {
  const Flow& flow;
  const data::Columns& columns;
  const data::Dataset* dataset =
      nullptr;             ///< Null where the data are gone: only the model is drawn.
  std::string title = {};  ///< Of every picture, such as the name of the data.
  at::Tensor given = {};   ///< Condition [1, C] of conditional flows.
  int64_t samples = 4000;
  std::vector<int64_t> chosen = {};  ///< Columns to draw one by one; empty = as many as fit.
};

/// Where rows for a picture come from: what training did not see, if there is such a part.
const data::Source& figure_source(const data::Dataset& dataset);
/// Rows for a picture that training did not see, if there are such, as often as their weights say;
/// at most `most`, float64. Undefined without data.
at::Tensor figure_rows(const FigureInput& input, int64_t most);
/// Random numbers of the samples in pictures.
Rng figure_rng();

/// What no loss of a run can be below.
struct LeastLoss {
  double nats = 0.0;
  std::string name;  ///< "entropy", or "-log Z" for reverse KL.
};
/// None where it is not known.
std::optional<LeastLoss> least_loss(const RunConfig& config, const data::Columns& columns);

/// A title for pictures of these data: a name, or that of the file.
std::string title_of(const data::Dataset& dataset);
std::string title_of(const std::string& name);

/// Two continuous columns, so that the density can be drawn as a map.
bool has_density_map(const data::Columns& columns);
/// The columns are pixels of an image.
bool is_image(const data::Columns& columns);

/// Data, or the density of data that has an energy, model density and model samples side by side.
void draw_density(const FigureInput& input, const std::filesystem::path& path);
/// A grid of the base space carried to the data.
void draw_base_warp(const FigureInput& input, const std::filesystem::path& path);
/// Losses over steps, with the least there is where it is known, of integers also in bits/dim.
void draw_run_curves(const std::filesystem::path& metrics, const std::optional<LeastLoss>& least,
                     const data::Columns& columns, const std::string& title,
                     const std::filesystem::path& path);

}  // namespace contraflow::cli
