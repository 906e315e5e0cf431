#pragma once

#include <torch/nn/module.h>

#include <map>
#include <string>

#include "contraflow/core/export.h"

namespace contraflow {

/// Tensors by their dotted name, such as "transform.members.3.log_scale".
using NamedTensors = std::map<std::string, at::Tensor>;

/// Parameters and buffers of a module by name. The tensors are live: writing into them writes into
/// the module. Everything that outlasts a step must be among them, or a resumed run would differ.
CF_EXPORT NamedTensors state_of(const torch::nn::Module& module);

/// Deep copies, detached, on the CPU.
CF_EXPORT NamedTensors clone_state(const NamedTensors& state);

/// What check_state() says when the two sides do not fit.
struct StateOrigin {
  std::string where;   ///< Place in the error text, such as "checkpoint".
  std::string source;  ///< What the tensors come from, such as the file's path.
};

/// Throws ConfigError naming the first tensor that is missing, extra, or of another shape or dtype.
CF_EXPORT void check_state(const NamedTensors& to, const NamedTensors& from,
                           const StateOrigin& origin);

/// Copies `from` into the live tensors of `to`, after check_state(); `to` is unchanged on an error.
CF_EXPORT void copy_state(const NamedTensors& to, const NamedTensors& from,
                          const StateOrigin& origin);

}  // namespace contraflow
