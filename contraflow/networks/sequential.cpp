#include "contraflow/networks/sequential.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <string>

#include "contraflow/core/parallel.h"

namespace contraflow {

Sequential::Sequential(std::vector<LayerPtr> layers) : layers_(std::move(layers)) {
  for (size_t k = 0; k < layers_.size(); ++k) register_module(std::to_string(k), layers_[k]);
}

double Sequential::lipschitz() const {
  double product = 1;
  for (const LayerPtr& layer : layers_) product *= layer->lipschitz();
  return product;
}

void Sequential::append_bounds(const std::string& name, std::vector<LayerBound>& to) const {
  for (size_t k = 0; k < layers_.size(); ++k)
    layers_[k]->append_bounds(name + "." + std::to_string(k), to);
}

double Sequential::euclidean_proof() const {
  double product = 1;
  for (const LayerPtr& layer : layers_) product *= layer->euclidean_proof();
  return product;
}

// Layers f and then g, of constants l and m:  J_g(f(a)) J_f(a)  turns by at most
// curvature(g) l * l + m curvature(f)  per unit of a.
double Sequential::curvature() const {
  double constant = 1, out = 0;
  for (const LayerPtr& layer : layers_) {
    const double own = layer->curvature(), proof = layer->euclidean_proof();
    out = own * constant * constant + proof * out;
    constant *= proof;
  }
  return out;
}

std::optional<int64_t> Sequential::receptive_radius() const {
  int64_t sum = 0;
  for (const LayerPtr& layer : layers_) {
    const std::optional<int64_t> radius = layer->receptive_radius();
    if (!radius) return std::nullopt;
    sum += *radius;
  }
  return sum;
}

double Sequential::unit_roundoff(at::ScalarType type) const {
  double largest = 0;
  for (const LayerPtr& layer : layers_) largest = std::max(largest, layer->unit_roundoff(type));
  return largest;
}

double Sequential::reduced_roundoff(at::ScalarType type) const {
  double largest = 0;
  for (const LayerPtr& layer : layers_) largest = std::max(largest, layer->reduced_roundoff(type));
  return largest;
}

// Passes P_1, P_2 that are off by e_1, e_2 from Jacobians of constants l_1, l_2 are off together by
//   |P_2 P_1 - J_2 J_1| <= e_2 (l_1 + e_1) + l_2 e_1.
at::Tensor Sequential::product_error(const Tape& tape) const {
  at::Tensor error;
  double constant = 1;
  for (size_t k = 0; k < layers_.size(); ++k) {
    const at::Tensor own = layers_[k]->product_error(tape.children[k]);
    const double next = layers_[k]->lipschitz();
    const at::Tensor carried = error.defined() ? error * next : error;
    if (own.defined()) {
      error = own * (error.defined() ? error + constant : at::full_like(own, constant));
      if (carried.defined()) error = error + carried;
    } else {
      error = carried;
    }
    constant *= next;
  }
  return error;
}

void Sequential::bind(Tape& tape, const at::Tensor& condition) const {
  tape.children.resize(layers_.size());
  for (size_t k = 0; k < layers_.size(); ++k) layers_[k]->bind(tape.children[k], condition);
}

at::Tensor Sequential::value(const Tape& tape, const at::Tensor& a) const {
  at::Tensor out = a;
  for (size_t k = 0; k < layers_.size(); ++k) out = layers_[k]->value(tape.children[k], out);
  return out;
}

at::Tensor Sequential::record(Tape& tape, const at::Tensor& a) const {
  at::Tensor out = a;
  for (size_t k = 0; k < layers_.size(); ++k) out = layers_[k]->record(tape.children[k], out);
  return out;
}

at::Tensor Sequential::jvp(Tape& tape, const at::Tensor& t, bool keep) const {
  at::Tensor out = t;
  for (size_t k = 0; k < layers_.size(); ++k) out = layers_[k]->jvp(tape.children[k], out, keep);
  return out;
}

at::Tensor Sequential::vjp(const Tape& tape, const at::Tensor& u) const {
  at::Tensor out = u;
  for (size_t k = layers_.size(); k-- > 0;) out = layers_[k]->vjp(tape.children[k], out);
  return out;
}

Dual Sequential::dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                              at::Tensor& condition_gradient) const {
  Dual dual = top;
  for (size_t k = layers_.size(); k-- > 0;) {
    dual = layers_[k]->dual_reverse(tape.children[k], dual, gradients, condition_gradient);
  }
  return dual;
}

bool Sequential::lower(NetLowering& to) const {
  for (const LayerPtr& layer : layers_) {
    if (!lower_net(*layer, to)) return false;
  }
  return true;
}

void Sequential::refresh(bool force) {
  // Large layers share the threads, each on one: the bits do not depend on their number.
  constexpr int64_t kLarge = 64 * 64;
  const bool large = std::any_of(layers_.begin(), layers_.end(), [](const LayerPtr& layer) {
    return layer->inputs() * layer->outputs() > kLarge;
  });
  if (!large) {
    const at::NoGradGuard guard;
    for (const LayerPtr& layer : layers_) layer->refresh(force);
    return;
  }
  parallel_items(std::ssize(layers_), [&](int64_t k) {
    const at::NoGradGuard guard;
    layers_[static_cast<size_t>(k)]->refresh(force);
  });
}

}  // namespace contraflow
