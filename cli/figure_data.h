#pragma once

#include <filesystem>
#include <vector>

#include "cli/plot/curves.h"
#include "cli/plot/heat.h"
#include "cli/plot/points.h"
#include "cli/plot/warp.h"
#include "contraflow/distributions/energies.h"
#include "contraflow/distributions/flow.h"

namespace contraflow::cli {

/// Numbers that the pictures show, computed from a flow. Conditional flows take `given`
/// [1, C] of the flow's dtype.

/// Rows of a tensor [N, 2] as a list of points.
plot::PointList points_of(const at::Tensor& rows);
/// One column of a tensor [N, D].
std::vector<double> column_of(const at::Tensor& rows, int64_t column);

/// Log-density of an energy's exp(-U)/Z at the centres of `cells` x `cells` cells.
plot::Grid energy_grid(EnergyKind kind, plot::Range x, plot::Range y, int64_t cells);

/// Log-density of a flow there.
plot::Grid density_grid(const Flow& flow, plot::Range x, plot::Range y, int64_t cells,
                        const at::Tensor& given);

/// What a picture of two columns shows.
struct Box {
  plot::Range x, y;
};

/// The lines of base space and their images under the inverse (warp_lines.cpp). Pieces whose images
/// are long get points in between, where the map stretches most.
std::vector<plot::WarpLine> warp_lines(const Flow& flow, const std::vector<plot::PointList>& lines,
                                       const Box& box, const at::Tensor& given);

/// Training and validation losses and the learning rate of a run's metrics; lines that are not
/// whole (of a run that is writing) are left out. Throws IoError (no file).
struct RunCurves {
  plot::Series training, validation, learning_rate;
};
RunCurves read_curves(const std::filesystem::path& metrics);

}  // namespace contraflow::cli
