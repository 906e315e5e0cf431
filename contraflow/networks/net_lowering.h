#pragma once

#include <functional>
#include <vector>

#include "contraflow/kernels/tile_program.h"
#include "contraflow/networks/layer.h"
#include "contraflow/networks/lowerable_net.h"

namespace contraflow {

class ActivationLayer;
class DenseConcat;
class LipschitzLinear;

/// Gradients that a run of the tile kernels left, and where they go: parameter slot s adds its
/// gradient, of the type of the run, to slots[s].
struct LoweredGradients {
  at::ScalarType dtype = at::kFloat;
  const void* program = nullptr;  ///< the program's gradient buffer; see TileLayer::gradient_begin
  double log_det_bar = 0.0;       ///< sum over rows of the log-determinant's weights
  std::vector<void*> slots;
};

/// Adds one layer's share to the slots.
using GradientTask = std::function<void(const LoweredGradients&)>;

/// Lowers layers to a kernels::TileNet. Layers call the three add_ methods in the order of their
/// values; what the tile kernels cannot run makes LowerableNet::lower() return false.
///
/// Concatenation costs nothing: features stay where they are, and its weights become multipliers of
/// the columns of later linear layers (their gradients are sums over those columns).
class NetLowering {
 public:
  /// Appends to `tasks`, which are independent of each other, to `late_tasks`, which run after all
  /// of those, and to `parameters`; the program's gradients begin at `gradient_begin`.
  NetLowering(int64_t dim, int64_t gradient_begin, std::vector<GradientTask>& tasks,
              std::vector<GradientTask>& late_tasks, std::vector<at::Tensor>& parameters);

  bool add_linear(const LipschitzLinear& layer);
  bool add_activation(const ActivationLayer& layer);
  bool add_concat(const DenseConcat& layer, const Layer& inner);

  /// Whether a layer reads the condition.
  bool conditional() const { return net_.shift_rows > 0; }
  /// The net, once its layers are added; false when it does not end in a linear layer.
  bool finish(kernels::TileNet& net);
  int64_t gradient_end() const { return gradient_end_; }

  /// What a linear layer's task leaves for tasks that run after all of those.
  struct Shares {
    int64_t in_begin = 0;
    /// Of each of its inputs: multiplier times its gradient; for concatenations.
    std::vector<double> values;
    /// Gradient of the log of the norm that bounds it; for learned orders.
    double by_log_norm = 0.0;

    /// Over the inputs that are features begin .. end - 1.
    double sum(int64_t begin, int64_t end) const;
  };

 private:
  struct Range {
    int64_t begin = 0;
    int64_t count = 0;
    std::vector<double> multipliers;
  };
  kernels::TileLayer next_layer() const;
  void append(kernels::TileLayer layer);
  size_t slot(const at::Tensor& parameter);
  void add_condition(const at::Tensor& weight);

  kernels::TileNet net_;
  Range range_;
  kernels::TileLayer pending_;
  bool has_pending_ = false;
  int64_t gradient_end_ = 0;
  std::shared_ptr<std::vector<Shares>> shares_;
  std::vector<GradientTask>& tasks_;
  std::vector<GradientTask>& late_tasks_;
  std::vector<at::Tensor>& parameters_;
};

}  // namespace contraflow
