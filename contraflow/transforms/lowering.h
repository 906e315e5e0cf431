#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "contraflow/kernels/tile_program.h"
#include "contraflow/networks/net_lowering.h"
#include "contraflow/transforms/lowerable.h"

namespace contraflow {

/// A chain of transforms lowered to a tile program for one call on one batch.
///
/// Transforms add themselves in Lowerable::lower(), in the order of the values; a transform that
/// returns false must have added nothing. Random numbers are drawn there, from the context the
/// transform would have run with: a lowered chain draws what the composed one draws.
struct TileLowering {
  explicit TileLowering(const at::Tensor& x) : batch(x.size(0)), options(x.options()) {
    program.dim = x.size(1);
  }

  kernels::TileProgram program;
  std::vector<at::Tensor> parameters;  ///< one per gradient slot
  std::vector<GradientTask> tasks;
  std::vector<GradientTask> late_tasks;  ///< small ones, which read what `tasks` wrote
  std::vector<at::Tensor> kept;          ///< tensors that the program points into
  std::vector<std::shared_ptr<const void>> owners;
  at::Tensor condition;  ///< [B, C] of the blocks that have one; undefined: of none
  int64_t blocks = 0;
  bool solves = false;
  bool biased = false;

  int64_t batch;
  at::TensorOptions options;

  /// Whether a block with this condition [B, C] may join: a program has one, on the host.
  bool takes(const at::Tensor& given) const {
    return given.is_cpu() && given.dim() == 2 && (!condition.defined() || given.is_same(condition));
  }
  bool conditional_gradient() const { return condition.defined() && condition.requires_grad(); }
  /// Makes it the program's; once all else has worked.
  void take(const at::Tensor& given);

  /// What a failed attempt has to take back.
  struct Mark {
    size_t steps, parameters, tasks, late_tasks, kept, owners;
    int64_t gradient_size, blocks;
    bool solves, biased, conditional;
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
/// it computed already: for the gradient of a log-density in a single visit.
struct LoweredTail {
  TileLowering lowering;
  at::Tensor input;    ///< [B, D] of the program, with the graph of what comes before and learns
  at::Tensor log_det;  ///< [B] of what came before, with its graph; undefined: zero
};
/// Null when the end is not lowered.
std::unique_ptr<LoweredTail> lower_tail(const Transform& transform, const at::Tensor& x,
                                        const Context& context);

/// See add_lowered_gradient().
LatentOutput run_lowered_loss(const LoweredTail& tail, const at::Tensor& weight,
                              const kernels::RowScore& score);

}  // namespace contraflow
