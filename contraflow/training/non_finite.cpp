#include "contraflow/training/non_finite.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "contraflow/transforms/chain.h"

namespace contraflow {
namespace {

bool finite(const at::Tensor& t) { return at::isfinite(t).all().item<bool>(); }

bool within(const std::string& name, const std::string& block) {
  return name.starts_with(block + ".") || name == block;
}

// The blocks of a flow: members of (nested) chains, by dotted name.
void collect_blocks(const Transform& transform, const std::string& name,
                    std::vector<std::string>& out) {
  const auto* chain = dynamic_cast<const Chain*>(&transform);
  if (chain == nullptr) {
    out.push_back(name);
    return;
  }
  for (size_t k = 0; k < chain->members().size(); ++k) {
    collect_blocks(*chain->members()[k], name + "." + std::to_string(k), out);
  }
}

std::string block_of(const Flow& flow, const std::string& parameter) {
  std::vector<std::string> blocks;
  collect_blocks(*flow.transform(), "transform", blocks);
  for (const std::string& block : blocks) {
    if (within(parameter, block)) return block;
  }
  return parameter.substr(0, parameter.find('.'));
}

NonFinite first_within(const FlatParameters& parameters, const std::string& block) {
  for (const ParameterSlot& slot : parameters.slots()) {
    if (!within(slot.name, block)) continue;
    if (!finite(slot.parameter)) return {block, slot.name, "value"};
    if (!finite(slot.parameter.grad())) return {block, slot.name, "gradient"};
  }
  return {block, "", ""};
}

// Runs the transform block by block; `x` becomes its output. Returns the block whose output is the
// first not to be finite, or nothing.
std::string first_bad_output(const Transform& transform, const std::string& name, at::Tensor& x,
                             Context context) {
  if (transform.condition_size() == 0) context.condition = at::Tensor();
  if (const auto* chain = dynamic_cast<const Chain*>(&transform)) {
    for (size_t k = 0; k < chain->members().size(); ++k) {
      const std::string bad = first_bad_output(*chain->members()[k], name + "." + std::to_string(k),
                                               x, context.fork(k));
      if (!bad.empty()) return bad;
    }
    return "";
  }
  const TransformOutput out = transform.forward(x, context);
  x = out.value;
  return finite(out.value) && finite(out.log_det) ? "" : name;
}

}  // namespace

NonFinite find_in_forward(const Flow& flow, const FlatParameters& parameters, const at::Tensor& x,
                          const Context& context) {
  const at::NoGradGuard no_grad;
  for (const ParameterSlot& slot : parameters.slots()) {
    if (!finite(slot.parameter)) return {block_of(flow, slot.name), slot.name, "value"};
  }
  at::Tensor value = x;
  const std::string block = first_bad_output(*flow.transform(), "transform", value, context);
  return first_within(parameters, block.empty() ? "base" : block);
}

NonFinite find_in_gradients(const Flow& flow, const FlatParameters& parameters) {
  const at::NoGradGuard no_grad;
  const std::vector<ParameterSlot>& slots = parameters.slots();
  const auto last = std::find_if(slots.rbegin(), slots.rend(), [](const ParameterSlot& slot) {
    return !finite(slot.parameter.grad());
  });
  if (last == slots.rend()) return {};
  return first_within(parameters, block_of(flow, last->name));
}

std::string describe(const NonFinite& origin) {
  if (origin.parameter.empty()) return "nan or infinity in block " + origin.block;
  return "nan or infinity in the " + origin.what + " of " + origin.parameter + " (block " +
         origin.block + ")";
}

}  // namespace contraflow
