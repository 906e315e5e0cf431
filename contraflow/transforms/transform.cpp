#include "contraflow/transforms/transform.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contraflow/core/check.h"
#include "contraflow/core/error.h"

namespace contraflow {

Context Context::fork(uint64_t tag) const {
  Context out = *this;
  out.rng = rng.fork(tag);
  return out;
}

at::Tensor first_floating_tensor(const torch::nn::Module& module) {
  // Level by level with early exit: parameters() would walk the whole tree at every call.
  for (const at::Tensor& t : module.parameters(/*recurse=*/false)) {
    if (t.is_floating_point()) return t;
  }
  for (const at::Tensor& t : module.buffers(/*recurse=*/false)) {
    if (t.is_floating_point()) return t;
  }
  for (const auto& child : module.children()) {
    if (at::Tensor t = first_floating_tensor(*child); t.defined()) return t;
  }
  return {};
}

int64_t parameter_count(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const at::Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

namespace {

void collect_leaves(const TransformPtr& transform, const std::string& name,
                    std::vector<Member>& out) {
  const std::vector<Member> members = transform->members();
  if (members.empty()) out.push_back({name, transform});
  for (const Member& member : members) {
    collect_leaves(member.transform, name.empty() ? member.name : name + "." + member.name, out);
  }
}

}  // namespace

std::vector<Member> leaves_of(const TransformPtr& transform) {
  std::vector<Member> out;
  collect_leaves(transform, "", out);
  return out;
}

void Transform::check_condition(const char* where, const at::Tensor& x, const at::Tensor& own,
                                const Context& context) const {
  std::vector<int64_t> expected = condition_shape();
  const at::Tensor& condition = context.condition;
  if (expected.empty()) {
    if (!condition.defined()) return;
    fail<ShapeError>(where, "condition", "none (this transform is unconditional)",
                     c10::str(condition.sizes()), "Leave Context::condition undefined.");
  }
  expected.insert(expected.begin(), x.size(0));
  if (!condition.defined()) {
    fail<ShapeError>(where, "condition", c10::str(at::IntArrayRef(expected)), "no tensor",
                     "Set Context::condition.");
  }
  if (condition.sizes() != at::IntArrayRef(expected)) {
    fail<ShapeError>(where, "condition", c10::str(at::IntArrayRef(expected)),
                     c10::str(condition.sizes()), "Give one row of conditions per row of data.");
  }
  if (data_side() && own.defined() && condition.is_floating_point()) {  // of either type
    check_same_kind(where, "condition", condition.narrow(0, 0, 1).to(own.scalar_type()), own);
  } else {
    check_same_kind(where, "condition", condition, x);
  }
}

void Transform::check_input(const char* where, const char* name, const at::Tensor& x,
                            at::IntArrayRef event, const Context& context, bool is_data) const {
  check_event(where, name, x, event);
  check_not_empty(where, name, x);
  check_floating(where, name, x);
  const bool any_type = is_data && data_side();
  const at::Tensor own = first_floating_tensor(*this);
  if (own.defined()) {
    check_same_kind(where, name, any_type ? x.narrow(0, 0, 1).to(own.scalar_type()) : x, own);
  }
  check_condition(where, x, own, context);
}

void Transform::defer_calibration() {
  for (const Member& member : members()) member.transform->defer_calibration();
}

nlohmann::ordered_json Transform::spec() const {
  fail<ConfigError>("Transform.spec", name(), "a transform that was built from its options",
                    "one that cannot say how to build it",
                    "Use a transform of the registry, or override spec().");
}

Randomness Transform::randomness(Phase phase) const {
  Randomness out = Randomness::kNone;
  for (const Member& member : members()) out = worst(out, member.transform->randomness(phase));
  return out;
}

bool Transform::bijective() const {
  const std::vector<Member> all = members();
  return std::all_of(all.begin(), all.end(),
                     [](const Member& member) { return member.transform->bijective(); });
}

std::vector<std::string> Transform::warnings(Phase phase) const {
  std::vector<std::string> out;
  for (const Member& member : members()) {
    for (std::string& line : member.transform->warnings(phase)) out.push_back(std::move(line));
  }
  return out;
}

TransformOutput Transform::trace(const at::Tensor& x, const Context& context, bool inverse,
                                 const TraceVisitor& visit, const std::string& name) const {
  check_input("Transform.trace", "x", x, inverse ? latent_shape() : event_shape(), context,
              /*is_data=*/!inverse);
  return do_trace(x, context, inverse, visit, name);
}

TransformOutput Transform::do_trace(const at::Tensor& x, const Context& context, bool inverse,
                                    const TraceVisitor& visit, const std::string& name) const {
  TransformOutput out = inverse ? do_inverse(x, context) : do_forward(x, context);
  if (!visit({name, *this, x, context, inverse, out})) out.value = at::Tensor();
  return out;
}

std::string Transform::member_name(const std::string& name, const std::string& member) {
  return name.empty() ? member : name + "." + member;
}

Context Transform::context_of(const Transform& member, uint64_t tag, const Context& context) {
  Context out = context.fork(tag);
  if (!member.conditional()) out.condition = at::Tensor();
  return out;
}

TransformOutput Transform::forward(const at::Tensor& x, const Context& context) const {
  check_input("Transform.forward", "x", x, event_shape(), context, /*is_data=*/true);
  return do_forward(x, context);
}

TransformOutput Transform::inverse(const at::Tensor& z, const Context& context) const {
  check_input("Transform.inverse", "z", z, latent_shape(), context, /*is_data=*/false);
  return do_inverse(z, context);
}

void Transform::prepare(const at::Tensor& x, const Context& context) {
  const at::NoGradGuard no_grad;
  if (x.defined() || prepare_needs_data()) {
    check_input("Transform.prepare", "x", x, event_shape(), context, /*is_data=*/true);
  }
  do_prepare(x, context);
}

}  // namespace contraflow
