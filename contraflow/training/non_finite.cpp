#include "contraflow/training/non_finite.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "contraflow/transforms/transform.h"

namespace contraflow {
namespace {

bool finite(const at::Tensor& t) { return at::isfinite(t).all().item<bool>(); }

std::string block_name(const std::string& leaf) {
  return leaf.empty() ? "transform" : "transform." + leaf;
}

bool within(const std::string& name, const std::string& block) {
  return name.starts_with(block + ".") || name == block;
}

std::string module_of(const std::string& parameter) {
  const size_t end = parameter.rfind('.');
  return end == std::string::npos ? "" : parameter.substr(0, end);
}

// The leaf of the flow that a parameter belongs to, by dotted name.
std::string block_of(const Flow& flow, const std::string& parameter) {
  for (const Member& leaf : leaves_of(flow.transform())) {
    const std::string block = block_name(leaf.name);
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

// The leaf whose output is the first not to be finite, or nothing.
std::string first_bad_output(const Flow& flow, const at::Tensor& x, Context context) {
  if (!flow.conditional()) context.condition = at::Tensor();
  std::string bad;
  flow.transform()->trace(x, context, /*inverse=*/false, [&](const TracedCall& call) {
    if (finite(call.output.value) && finite(call.output.log_det)) return true;
    bad = block_name(call.name);
    return false;
  });
  return bad;
}

}  // namespace

NonFinite find_in_values(const FlatParameters& parameters) {
  for (const ParameterSlot& slot : parameters.slots()) {
    if (!finite(slot.parameter)) return {module_of(slot.name), slot.name, "value"};
  }
  return {};
}

NonFinite find_in_gradients(const FlatParameters& parameters) {
  const std::vector<ParameterSlot>& slots = parameters.slots();
  const auto last = std::find_if(slots.rbegin(), slots.rend(), [](const ParameterSlot& slot) {
    return !finite(slot.parameter.grad());
  });
  if (last == slots.rend()) return {};
  return {module_of(last->name), last->name, "gradient"};
}

NonFinite find_in_forward(const Flow& flow, const FlatParameters& parameters, const at::Tensor& x,
                          const Context& context) {
  const at::NoGradGuard no_grad;
  if (NonFinite found = find_in_values(parameters); !found.parameter.empty()) {
    found.block = block_of(flow, found.parameter);
    return found;
  }
  const std::string block = first_bad_output(flow, x, context);
  return first_within(parameters, block.empty() ? "base" : block);
}

NonFinite find_in_gradients(const Flow& flow, const FlatParameters& parameters) {
  const at::NoGradGuard no_grad;
  const NonFinite last = find_in_gradients(parameters);
  return last.parameter.empty() ? last : first_within(parameters, block_of(flow, last.parameter));
}

std::string describe(const NonFinite& origin) {
  if (origin.parameter.empty()) return "nan or infinity in block " + origin.block;
  const std::string block = origin.block.empty() ? "" : " (block " + origin.block + ")";
  return "nan or infinity in the " + origin.what + " of " + origin.parameter + block;
}

}  // namespace contraflow
