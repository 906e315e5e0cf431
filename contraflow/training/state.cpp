#include "contraflow/training/state.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

constexpr const char* kOtherModel =
    "The tensors belong to a model of another configuration; build the flow from the configuration "
    "stored with them";

[[noreturn]] void misfit(const StateOrigin& origin, const std::string& name,
                         const std::string& expected, const std::string& got) {
  fail<ConfigError>(origin.where, name, expected, got,
                    c10::str(kOtherModel, " (", origin.source, ")."));
}

void check_pair(const std::string& name, const at::Tensor& to, const at::Tensor& from,
                const StateOrigin& origin) {
  if (to.sizes() != from.sizes()) {
    misfit(origin, name, c10::str("shape ", to.sizes()), c10::str("shape ", from.sizes()));
  }
  if (to.scalar_type() == from.scalar_type()) return;
  fail<ConfigError>(origin.where, name, std::string(to.dtype().name()),
                    c10::str(from.dtype().name(), " in ", origin.source),
                    "Build the flow in the dtype it was trained in; convert it afterwards.");
}

}  // namespace

NamedTensors state_of(const torch::nn::Module& module) {
  NamedTensors state;
  for (const auto& item : module.named_parameters()) {
    if (item.value().defined()) state.emplace(item.key(), item.value().detach());
  }
  for (const auto& item : module.named_buffers()) {
    if (item.value().defined()) state.emplace(item.key(), item.value().detach());
  }
  return state;
}

NamedTensors clone_state(const NamedTensors& state) {
  NamedTensors copy;
  for (const auto& [name, tensor] : state) {
    copy.emplace(name, tensor.detach().to(at::kCPU).clone(at::MemoryFormat::Contiguous));
  }
  return copy;
}

void check_state(const NamedTensors& to, const NamedTensors& from, const StateOrigin& origin) {
  for (const auto& [name, tensor] : to) {
    const auto found = from.find(name);
    if (found == from.end()) misfit(origin, name, c10::str("a tensor ", tensor.sizes()), "none");
    check_pair(name, tensor, found->second, origin);
  }
  for (const auto& [name, tensor] : from) {
    if (to.count(name) == 0) {
      misfit(origin, name, "no such tensor in this model", c10::str("a tensor ", tensor.sizes()));
    }
  }
}

void copy_state(const NamedTensors& to, const NamedTensors& from, const StateOrigin& origin) {
  check_state(to, from, origin);
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : to) tensor.copy_(from.at(name));
}

}  // namespace contraflow
