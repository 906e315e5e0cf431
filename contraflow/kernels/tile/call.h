#pragma once

#include <cstdint>

#include "contraflow/kernels/row_score.h"
#include "contraflow/kernels/tile_program.h"

namespace contraflow::kernels {

/// What a run of the tile kernels computes.
enum class TileMode {
  kForward,   ///< value and log_det; on request the points and probe sums a backward run needs
  kBackward,  ///< from points, y_bar and c: x_bar and parameter gradients
  kLoss,      ///< kForward, then kBackward from a density at y, in one visit of each tile
};

/// How a solve ended, the worst row of a run.
struct TileSolveStatus {
  int64_t row = -1;  ///< -1: every row is within its tolerance
  double bound = 0.0;
  bool diverged = false;
  int64_t iterations = 0;
};

/// Packed weights of a layer: both orders in which the products read them.
template <class T>
struct PackedLayer {
  const T* forward = nullptr;            ///< blocks of rows over the outputs
  const T* backward = nullptr;           ///< blocks of rows over the inputs, of the transpose
  const T* condition_forward = nullptr;  ///< the same of the condition's weight; null: none
  const T* condition_backward = nullptr;
};

/// One run over raw memory. Rows are row-major [batch, dim]; null where not wanted.
template <class T>
struct TileCall {
  const TileProgram* program = nullptr;
  TileMode mode = TileMode::kForward;
  int64_t batch = 0;
  const T* x = nullptr;
  T* y = nullptr;
  T* log_det = nullptr;
  T* solve_error = nullptr;
  T* bias_bound = nullptr;   ///< not in kLoss
  const T* start = nullptr;  ///< [steps, batch, dim]: points from which solves start
  T* points = nullptr;       ///< [steps, batch, dim]: w of blocks, x of affine steps
  T* probe_sums = nullptr;   ///< per stochastic step [probe_count, batch, dim], one after another
  const T* y_bar = nullptr;
  const T* log_det_bar = nullptr;  ///< [batch]; in kLoss the weight of each row's log-density
  T* x_bar = nullptr;
  T* condition_bar = nullptr;       ///< [batch, conditions], written
  const RowScore* score = nullptr;  ///< kLoss: of the density at y
  T* gradient = nullptr;            ///< [program.gradient_size], added to
  TileSolveStatus status;           ///< out
};

void run_tiles(TileCall<float>& call);
void run_tiles(TileCall<double>& call);

}  // namespace contraflow::kernels
