#pragma once

#include <torch/nn/module.h>

#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/training/state.h"

namespace contraflow {

/// Where one parameter lies in the flat buffers.
struct ParameterSlot {
  std::string name;      ///< Dotted name within the module.
  at::Tensor parameter;  ///< The module's own tensor; its data and gradient are views.
  size_t buffer;         ///< Index into FlatParameters::values().
  int64_t offset;        ///< First element within that buffer; a multiple of 64 bytes.
};

/// The trainable parameters of a module as views into one contiguous buffer per dtype, and their
/// gradients likewise, so that optimizer, EMA, norms and checkpoints each work on one tensor.
///
/// Layout     parameters in registration order, each starting on a 64-byte boundary: which
///            vector path a kernel takes does not depend on a parameter's neighbours. The padding
///            between them is zero and stays zero under every elementwise update that maps 0 to 0.
/// Gradient   autograd adds into the views in place; call zero_gradients() before each backward. A
///            parameter that a loss does not reach has gradient zero.
/// Frozen     parameters with requires_grad == false at construction are left alone.
/// Lifetime   the views keep the buffers alive; this object may go away before the module.
///            Flow.to(dtype) or to(device) gives the parameters other memory: require_current()
///            then throws, and a new FlatParameters must be made.
/// Threads    exclusive access.
/// Throws     DtypeError (a parameter that is not float32 or float64).
class CF_EXPORT FlatParameters {
 public:
  explicit FlatParameters(torch::nn::Module& module);

  const std::vector<ParameterSlot>& slots() const { return slots_; }
  const std::vector<at::Tensor>& values() const { return values_; }
  const std::vector<at::Tensor>& gradients() const { return gradients_; }
  /// Trainable numbers, padding not counted.
  int64_t count() const { return count_; }

  void zero_gradients();
  /// Takes the gradients off the parameters, which frees their memory with this object.
  void release_gradients();
  /// Throws ConfigError when a parameter or gradient is no longer a view of the buffers.
  void require_current() const;

  /// Zero tensors of the same layout, for moments and averages.
  std::vector<at::Tensor> zeros() const;
  /// Views of tensors of this layout under the names and shapes of the parameters.
  NamedTensors named(const std::vector<at::Tensor>& flat) const;

 private:
  at::Tensor view(const std::vector<at::Tensor>& flat, const ParameterSlot& slot) const;

  std::vector<ParameterSlot> slots_;
  std::vector<at::Tensor> values_;
  std::vector<at::Tensor> gradients_;
  int64_t count_ = 0;
};

}  // namespace contraflow
