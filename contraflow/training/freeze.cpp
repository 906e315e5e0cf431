#include "contraflow/training/freeze.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

std::string some_names(const std::vector<ParameterSlot>& slots) {
  constexpr size_t kShown = 6;
  std::string out;
  for (size_t i = 0; i < std::min(kShown, slots.size()); ++i) {
    if (i > 0) out += ", ";
    out += slots[i].name;
  }
  return slots.size() > kShown ? out + ", ..." : out;
}

}  // namespace

FrozenParameters::FrozenParameters(const FlatParameters& parameters, const FreezeOptions& options)
    : steps_(options.steps) {
  if (options.parameters.empty() && options.steps > 0) {
    fail<ConfigError>("fit", "training.freeze.parameters", "names of what is frozen for some steps",
                      "none", "Name them, or leave training.freeze.steps out.");
  }
  std::vector<bool> found(options.parameters.size(), false);
  for (const ParameterSlot& slot : parameters.slots()) {
    bool frozen = false;
    for (size_t i = 0; i < found.size(); ++i) {
      if (slot.name.find(options.parameters[i]) == std::string::npos) continue;
      frozen = found[i] = true;
    }
    if (frozen) parameters_.push_back(slot.parameter.detach());
  }
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i]) continue;
    fail<ConfigError>("fit", "training.freeze.parameters", "a part of a parameter's name",
                      "\"" + options.parameters[i] + "\"",
                      "Names here are " + some_names(parameters.slots()) + ".");
  }
}

void FrozenParameters::hold() {
  held_.clear();
  for (const at::Tensor& parameter : parameters_) held_.push_back(parameter.clone());
}

void FrozenParameters::put_back(int64_t step) const {
  if (steps_ > 0 && step > steps_) return;
  for (size_t i = 0; i < held_.size(); ++i) parameters_[i].copy_(held_[i]);
}

int64_t FrozenParameters::count() const {
  int64_t out = 0;
  for (const at::Tensor& parameter : parameters_) out += parameter.numel();
  return out;
}

}  // namespace contraflow
