#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include "contraflow/core/export.h"
#include "contraflow/kernels/row_score.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

struct LoweredTail;
struct TileLowering;

/// What a transform offers that the tile kernels can run (transforms/lowering.h); its composed form
/// stays the definition. Reached by Transform::lowerable(), by nobody but lowering.
class CF_EXPORT Lowerable {
 public:
  /// Adds the map of forward (or inverse) on the batch of `to` to a tile program. False, and
  /// nothing added, when the tile kernels cannot run it.
  virtual bool lower(TileLowering& to, const Context& context, bool inverse) const = 0;
  /// The part that ends at the latent and runs as one program (transforms/lowering.h); null where
  /// there is none. By default all or nothing.
  virtual std::unique_ptr<LoweredTail> lower_tail(const at::Tensor& x,
                                                  const Context& context) const;

 protected:
  Lowerable() = default;
  Lowerable(const Lowerable&) = default;
  Lowerable& operator=(const Lowerable&) = default;
  ~Lowerable() = default;
};

/// Lowerable::lower() of a transform; false where it offers none.
CF_EXPORT bool lower_transform(const Transform& transform, TileLowering& to, const Context& context,
                               bool inverse);

/// Where a lowered pass arrived.
struct LatentOutput {
  at::Tensor value;           ///< [B, D]
  at::Tensor log_det;         ///< [B] of what was lowered
  at::Tensor log_det_before;  ///< [B] of what came before that; undefined: zero
};

/// The latents of x, without a graph, while the gradient of sum_b weight_b (log p(z_b) + log_det_b)
/// is added to the parameters' grads, `score` that of log p: each row is visited once. Unset, and
/// nothing done, where the transform does not end in a lowered part.
CF_EXPORT std::optional<LatentOutput> add_lowered_gradient(const Transform& transform,
                                                           const at::Tensor& x,
                                                           const at::Tensor& weight,
                                                           const kernels::RowScore& score,
                                                           const Context& context);

}  // namespace contraflow
