#include "contraflow/evaluation/leaf_call.h"

#include <ATen/ATen.h>

namespace contraflow {

at::Tensor hidden_rows(const BlockForm& form, const TracedCall& call) {
  const at::Tensor& x = call.inverse ? call.output.value : call.input;
  const at::Tensor& y = call.inverse ? call.input : call.output.value;
  return ((x * form.d - y * form.b) / form.determinant()).flatten(1);
}

at::Tensor event_norm(const at::Tensor& events) {
  return at::linalg_vector_norm(events.flatten(1), 2, at::IntArrayRef{1});
}

at::Tensor or_zero(const at::Tensor& bound, const at::Tensor& like) {
  return bound.defined() ? bound.to(at::kDouble) : at::zeros_like(like);
}

at::Tensor rounding(const at::Tensor& x, const at::Tensor& y) {
  constexpr double kRounding = 1e-12;  // relative to the size of the points
  return kRounding * (1.0 + event_norm(x) + event_norm(y));
}

std::vector<LeafCall> calls_of(const Transform& transform, const at::Tensor& x,
                               const Context& context, bool inverse, at::Tensor* end) {
  std::vector<LeafCall> out;
  const TransformOutput whole =
      transform.trace(x, context, inverse, [&out](const TracedCall& call) {
        const Transform& leaf = call.transform;
        out.push_back({call.name, &leaf, call.context, call.inverse, call.input, call.output.value,
                       call.output.solve_error_bound,
                       call.inverse ? leaf.inverse_lipschitz() : leaf.forward_lipschitz(),
                       leaf.bijective() && !leaf.data_side()});
        return true;
      });
  if (end != nullptr) *end = whole.value;
  return out;
}

}  // namespace contraflow
