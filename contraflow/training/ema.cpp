#include "contraflow/training/ema.h"

#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

std::vector<at::Tensor> copies(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> out;
  for (const at::Tensor& t : tensors) out.push_back(t.detach().clone());
  return out;
}

void copy_all(const std::vector<at::Tensor>& to, const std::vector<at::Tensor>& from) {
  for (size_t i = 0; i < to.size(); ++i) to[i].copy_(from[i]);
}

std::vector<at::Tensor> defined_buffers(const torch::nn::Module& module) {
  std::vector<at::Tensor> out;
  for (const at::Tensor& buffer : module.buffers()) {
    if (buffer.defined()) out.push_back(buffer);
  }
  return out;
}

}  // namespace

Ema::Ema(const FlatParameters& parameters, double decay)
    : decay_(decay), parameters_(parameters.values()), average_(parameters.zeros()) {}

void Ema::update() {
  const at::NoGradGuard no_grad;
  ++updates_;
  // The newest of n normalised weights: (1 - d) / (1 - d^n).
  const double weight = (1.0 - decay_) / (1.0 - std::pow(decay_, static_cast<double>(updates_)));
  for (size_t i = 0; i < average_.size(); ++i) average_[i].lerp_(parameters_[i], weight);
}

void refresh_state(Flow& flow) {
  flow.transform()->defer_calibration();
  if (flow.transform()->prepare_needs_data()) {
    fail<ConfigError>("refresh_state", "flow", "data-dependent members that are initialised",
                      "one that waits for data", "Call flow.prepare(x) with training rows first.");
  }
  // Members that do not wait for data take no data; see Transform::prepare.
  flow.prepare({}, {.condition = {}, .rng = Rng(0).fork("refresh"), .phase = Phase::kEvaluate});
}

EvaluationScope::EvaluationScope(const torch::nn::Module& module, const FlatParameters& parameters,
                                 const Ema* average, const std::function<void()>& refresh)
    : buffers_(defined_buffers(module)), saved_buffers_(copies(buffers_)) {
  const at::NoGradGuard no_grad;
  if (average != nullptr && average->updates() > 0) {
    parameters_ = parameters.values();
    saved_parameters_ = copies(parameters_);
    copy_all(parameters_, average->values());
  }
  try {
    refresh();
  } catch (...) {
    put_back();
    throw;
  }
}

EvaluationScope::~EvaluationScope() { put_back(); }

// copy_ between tensors of one shape and type has no way to fail, so noexcept hides nothing.
void EvaluationScope::put_back() noexcept {
  const at::NoGradGuard no_grad;
  copy_all(parameters_, saved_parameters_);
  copy_all(buffers_, saved_buffers_);
}

}  // namespace contraflow
