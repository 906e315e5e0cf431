#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "contraflow/kernels/tile_program.h"
#include "contraflow/networks/net_lowering.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

/// A chain of transforms lowered to a tile program for one call on one batch.
///
/// Transforms add themselves in Transform::lower(), in the order of the values; a transform that
/// returns false must have added nothing. Random numbers are drawn there, from the context the
/// transform would have run with: a lowered chain draws what the composed one draws.
struct TileLowering {
  explicit TileLowering(const at::Tensor& x) : batch(x.size(0)), options(x.options()) {
    program.dim = x.size(1);
  }

  kernels::TileProgram program;
  std::vector<at::Tensor> parameters;  ///< one per gradient slot
  std::vector<GradientTask> tasks;
  std::vector<GradientTask> late_tasks;  ///< small ones that need what tasks left
  std::vector<at::Tensor> kept;          ///< tensors that the program points into
  std::vector<std::shared_ptr<const void>> owners;
  int64_t blocks = 0;
  bool solves = false;
  bool biased = false;

  int64_t batch;
  at::TensorOptions options;

  /// What a failed attempt has to take back.
  struct Mark {
    size_t steps, parameters, tasks, late_tasks, kept, owners;
    int64_t gradient_size, blocks;
    bool solves, biased;
  };
  Mark mark() const;
  void reset(const Mark& mark);
};

/// The entries of a small floating tensor.
std::vector<double> to_doubles(const at::Tensor& t);

/// Whether tile kernels can take events of this shape: rows of up to 1,024 features, on the CPU or
/// where cuda_lowering_applies().
bool tiles_apply(const at::Tensor& x);

/// Runs the program on x [B, D]: value, log_det, bounds. Differentiable in x and the parameters, by
/// one autograd node that keeps the blocks' points. Throws ConvergenceError, as the blocks do.
TransformOutput run_lowered(TileLowering lowering, const at::Tensor& x, bool wants_log_det);

/// The part of a transform that ends at the latent and runs as one program, with what comes before
/// it computed without gradients: for the gradient of a log-density in a single visit.
struct LoweredTail {
  TileLowering lowering;
  at::Tensor input;    ///< [B, D] of the program
  at::Tensor log_det;  ///< [B] of what came before; undefined: zero
};
/// Null when the end is not lowered, or something before it has parameters.
std::unique_ptr<LoweredTail> lower_tail(const Transform& transform, const at::Tensor& x,
                                        const Context& context);

/// For a standard normal base: log p(x) [B], while the gradient of sum_b weight_b log p(x_b) is
/// added to the parameters' grads.
at::Tensor run_lowered_loss(const LoweredTail& tail, const at::Tensor& weight);

}  // namespace contraflow
