#include "contraflow/networks/net_lowering.h"

#include <ATen/Dispatch.h>

#include <algorithm>
#include <array>

#include "contraflow/kernels/weight_gradient.h"
#include "contraflow/networks/activation_layer.h"
#include "contraflow/networks/dense_concat.h"
#include "contraflow/networks/induced_norm.h"
#include "contraflow/networks/lipschitz_linear.h"
#include "contraflow/networks/norm_orders.h"

namespace contraflow {
namespace {

struct LinearTask {
  const LipschitzLinear* layer;
  std::vector<double> multipliers;
  int64_t gradient_begin;
  size_t weight, bias, index;
  int64_t in_begin;

  // g [inputs, outputs] is the gradient of the weight that multiplies, s W diag(m). With G = m g:
  // dL/dW = s (G - <G, W> / sigma  u v^T), the second part only where the norm bound is active.
  template <class T>
  NetLowering::Shares run(const T* g, T* weight_bar, T* bias_bar) const {
    const int64_t inputs = layer->inputs(), outputs = layer->outputs();
    const T* w = layer->weight().const_data_ptr<T>();
    const double s = layer->scale();
    std::vector<double> sums(static_cast<size_t>(inputs));
    std::vector<T> factor(static_cast<size_t>(inputs), static_cast<T>(s));
    for (size_t i = 0; i < multipliers.size(); ++i) factor[i] = static_cast<T>(s * multipliers[i]);
    kernels::add_weight_gradient(g, w, factor.data(), outputs, inputs, weight_bar, sums.data());
    double along = 0.0;
    for (size_t i = 0; i < sums.size(); ++i) {
      if (!multipliers.empty()) sums[i] *= multipliers[i];
      along += sums[i];
      sums[i] *= s;
    }
    const double by_log_norm = s < 1.0 ? -s * along : 0.0;
    if (s < 1.0) layer->add_norm_gradient(by_log_norm, weight_bar);
    for (int64_t o = 0; o < outputs; ++o) bias_bar[o] += g[inputs * outputs + o];
    // A spectral cap that binds leaves nothing to the orders.
    return {in_begin, std::move(sums), layer->spectral_cap_binds() ? 0.0 : by_log_norm};
  }
};

// Orders of a layer's norm move its scale. Layers share them, so this is not a task of its own
// layer.
struct OrderTask {
  const LipschitzLinear* layer;
  size_t raw;

  template <class T>
  void run(double by_log_norm, T* raw_bar) const {
    if (by_log_norm == 0.0) return;
    const NormOrders& orders = *layer->options().orders;
    const OrderSlopes slopes = layer->order_slopes();
    const int64_t node = layer->options().node;
    raw_bar[orders.place(node)] +=
        static_cast<T>(by_log_norm * slopes.by_input * orders.chain(node));
    raw_bar[orders.place(node + 1)] +=
        static_cast<T>(by_log_norm * slopes.by_output * orders.chain(node + 1));
  }
};

}  // namespace

double NetLowering::Shares::sum(int64_t begin, int64_t end) const {
  double sum = 0.0;
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t feature = in_begin + static_cast<int64_t>(i);
    if (feature >= begin && feature < end) sum += values[i];
  }
  return sum;
}

NetLowering::NetLowering(int64_t dim, int64_t gradient_begin, std::vector<GradientTask>& tasks,
                         std::vector<GradientTask>& late_tasks, std::vector<at::Tensor>& parameters)
    : gradient_end_(gradient_begin),
      shares_(std::make_shared<std::vector<Shares>>()),
      tasks_(tasks),
      late_tasks_(late_tasks),
      parameters_(parameters) {
  net_.dim = dim;
  net_.features = dim;
  range_ = {0, dim, {}};
}

size_t NetLowering::slot(const at::Tensor& parameter) {
  parameters_.push_back(parameter);
  return parameters_.size() - 1;
}

kernels::TileLayer NetLowering::next_layer() const {
  kernels::TileLayer layer;
  layer.in_begin = range_.begin;
  layer.inputs = range_.count;
  layer.outputs = range_.count;
  layer.z_begin = net_.z_rows;
  layer.slope_begin = net_.slope_rows;
  layer.gradient_begin = gradient_end_;
  return layer;
}

void NetLowering::append(kernels::TileLayer layer) {
  net_.z_rows += layer.outputs;
  gradient_end_ += layer.gradient_size();
  if (layer.activated) {
    layer.out_begin = net_.features;
    const int64_t added = layer.outputs * expansion(layer.activation);
    net_.features += added;
    net_.slope_rows += added;
    range_ = {layer.out_begin, added, {}};
  }
  net_.layers.push_back(std::move(layer));
  shares_->push_back({net_.layers.back().in_begin, {}, 0.0});
}

bool NetLowering::add_linear(const LipschitzLinear& layer) {
  if (has_pending_) return false;
  pending_ = next_layer();
  pending_.outputs = layer.outputs();
  pending_.weight = layer.weight().const_data_ptr();
  pending_.bias = layer.bias().const_data_ptr();
  pending_.scale = layer.scale();
  pending_.multipliers = range_.multipliers;
  has_pending_ = true;
  const LinearTask task{&layer,
                        range_.multipliers,
                        gradient_end_,
                        slot(layer.weight()),
                        slot(layer.bias()),
                        net_.layers.size(),
                        range_.begin};
  tasks_.push_back([task, shares = shares_](const LoweredGradients& g) {
    AT_DISPATCH_FLOATING_TYPES(g.dtype, "lowered_linear_gradient", [&] {
      (*shares)[task.index] = task.run(
          static_cast<const scalar_t*>(g.program) + task.gradient_begin,
          static_cast<scalar_t*>(g.slots[task.weight]), static_cast<scalar_t*>(g.slots[task.bias]));
    });
  });
  if (layer.condition_weight().defined()) add_condition(layer.condition_weight());
  if (layer.options().orders && layer.options().orders->learnable()) {
    const OrderTask orders{&layer, slot(layer.options().orders->raw())};
    late_tasks_.push_back(
        [orders, index = task.index, shares = shares_](const LoweredGradients& g) {
          AT_DISPATCH_FLOATING_TYPES(g.dtype, "lowered_order_gradient", [&] {
            orders.run((*shares)[index].by_log_norm, static_cast<scalar_t*>(g.slots[orders.raw]));
          });
        });
  }
  return true;
}

// V of the pending layer, which adds V h.
void NetLowering::add_condition(const at::Tensor& weight) {
  pending_.condition_weight = weight.const_data_ptr();
  pending_.conditions = weight.size(1);
  pending_.shift_begin = net_.shift_rows;
  net_.shift_rows += pending_.outputs;
  const int64_t begin = pending_.gradient_begin + pending_.condition_gradient(),
                outputs = weight.size(0), conditions = weight.size(1);
  const size_t to = slot(weight);
  tasks_.push_back([begin, outputs, conditions, to](const LoweredGradients& g) {
    AT_DISPATCH_FLOATING_TYPES(g.dtype, "lowered_condition_gradient", [&] {
      const auto* from = static_cast<const scalar_t*>(g.program) + begin;
      auto* bar = static_cast<scalar_t*>(g.slots[to]);
      for (int64_t o = 0; o < outputs; ++o) {
        for (int64_t j = 0; j < conditions; ++j) bar[o * conditions + j] += from[j * outputs + o];
      }
    });
  });
}

bool NetLowering::add_activation(const ActivationLayer& layer) {
  if (!has_pending_) {
    if (!range_.multipliers.empty()) return false;  // an activation of concatenated features
    pending_ = next_layer();
  }
  has_pending_ = false;
  pending_.activated = true;
  pending_.activation = layer.kind();
  if (has_beta(layer.kind())) {
    pending_.beta = layer.beta_value();
    const int64_t at = pending_.gradient_begin + pending_.beta_gradient();
    const size_t to = slot(layer.raw_beta());
    const double chain = layer.beta_chain();
    tasks_.push_back([at, to, chain](const LoweredGradients& g) {
      AT_DISPATCH_FLOATING_TYPES(g.dtype, "lowered_beta_gradient", [&] {
        *static_cast<scalar_t*>(g.slots[to]) +=
            static_cast<scalar_t>(chain) * static_cast<const scalar_t*>(g.program)[at];
      });
    });
  }
  append(std::move(pending_));
  return true;
}

bool NetLowering::add_concat(const DenseConcat& layer, const Layer& inner) {
  const Range outer = range_;
  if (has_pending_ || outer.begin + outer.count != net_.features) return false;
  if (!lower_net(inner, *this) || has_pending_) return false;
  if (range_.begin != outer.begin + outer.count || !range_.multipliers.empty()) return false;
  const auto [skip, own] = layer.weights();
  Range joined{outer.begin, outer.count + range_.count, {}};
  for (int64_t i = 0; i < outer.count; ++i)
    joined.multipliers.push_back(
        skip * (outer.multipliers.empty() ? 1.0 : outer.multipliers[static_cast<size_t>(i)]));
  joined.multipliers.resize(static_cast<size_t>(joined.count), own);
  if (layer.raw().defined()) {
    const size_t to = slot(layer.raw()), first = net_.layers.size();
    const int64_t begin = outer.begin, middle = outer.begin + outer.count,
                  end = joined.begin + joined.count;
    late_tasks_.push_back([&layer, to, first, begin, middle, end,
                           shares = shares_](const LoweredGradients& g) {
      double by_skip = 0.0, by_inner = 0.0;
      for (size_t k = first; k < shares->size(); ++k) {
        by_skip += (*shares)[k].sum(begin, middle);
        by_inner += (*shares)[k].sum(middle, end);
      }
      const auto [skip_now, own_now] = layer.weights();
      const std::array<double, 2> raw = layer.raw_gradient(by_skip / skip_now, by_inner / own_now);
      AT_DISPATCH_FLOATING_TYPES(g.dtype, "lowered_concat_gradient", [&] {
        for (int j = 0; j < 2; ++j)
          static_cast<scalar_t*>(g.slots[to])[j] += static_cast<scalar_t>(raw[j]);
      });
    });
  }
  range_ = std::move(joined);
  return true;
}

bool NetLowering::finish(kernels::TileNet& net) {
  if (!has_pending_) return false;
  has_pending_ = false;
  pending_.activated = false;
  append(std::move(pending_));
  for (size_t k = 0; k < net_.layers.size(); ++k) {
    kernels::TileLayer& layer = net_.layers[k];
    for (size_t j = k + 1; j < net_.layers.size(); ++j) {
      const kernels::TileLayer& later = net_.layers[j];
      layer.shares_input = layer.shares_input || (later.in_begin < layer.in_begin + layer.inputs &&
                                                  layer.in_begin < later.in_begin + later.inputs);
    }
  }
  net = std::move(net_);
  return true;
}

}  // namespace contraflow
