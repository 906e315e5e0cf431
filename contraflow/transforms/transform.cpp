#include "contraflow/transforms/transform.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

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

void Transform::check_condition(const char* where, const at::Tensor& x,
                                const Context& context) const {
  const int64_t width = condition_size();
  const at::Tensor& condition = context.condition;
  if (width == 0) {
    if (!condition.defined()) return;
    fail<ShapeError>(where, "condition", "none (this transform is unconditional)",
                     c10::str(condition.sizes()), "Leave Context::condition undefined.");
  }
  if (!condition.defined()) {
    fail<ShapeError>(where, "condition", c10::str("[", x.size(0), ", ", width, "]"), "no tensor",
                     "Set Context::condition.");
  }
  if (condition.dim() != 2 || condition.size(0) != x.size(0) || condition.size(1) != width) {
    fail<ShapeError>(where, "condition", c10::str("[", x.size(0), ", ", width, "]"),
                     c10::str(condition.sizes()), "Give one row of conditions per row of data.");
  }
  check_same_kind(where, "condition", condition, x);
}

void Transform::check_input(const char* where, const char* name, const at::Tensor& x,
                            at::IntArrayRef event, const Context& context) const {
  check_event(where, name, x, event);
  check_not_empty(where, name, x);
  check_floating(where, name, x);
  if (const at::Tensor own = first_floating_tensor(*this); own.defined()) {
    check_same_kind(where, name, x, own);
  }
  check_condition(where, x, context);
}

void Transform::postpone_measurements() {
  for (const auto& child : children()) {
    if (auto* transform = dynamic_cast<Transform*>(child.get())) transform->postpone_measurements();
  }
}

TransformOutput Transform::forward(const at::Tensor& x, const Context& context) const {
  check_input("Transform.forward", "x", x, event_shape(), context);
  return do_forward(x, context);
}

TransformOutput Transform::inverse(const at::Tensor& z, const Context& context) const {
  check_input("Transform.inverse", "z", z, latent_shape(), context);
  return do_inverse(z, context);
}

void Transform::prepare(const at::Tensor& x, const Context& context) {
  const at::NoGradGuard no_grad;
  if (x.defined() || prepare_needs_data()) {
    check_input("Transform.prepare", "x", x, event_shape(), context);
  }
  do_prepare(x, context);
}

}  // namespace contraflow
