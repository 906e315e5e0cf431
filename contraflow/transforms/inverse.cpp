#include "contraflow/transforms/inverse.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"
#include "contraflow/core/registry_entry.h"

namespace contraflow {

Inverse::Inverse(TransformPtr inner) {
  if (!inner) fail<ConfigError>("Inverse", "inner", "a transform", "null", "Pass one.");
  inner_ = register_module("inner", std::move(inner));
}

TransformOutput Inverse::do_forward(const at::Tensor& x, const Context& context) const {
  return inner_->inverse(x, context);
}

TransformOutput Inverse::do_inverse(const at::Tensor& z, const Context& context) const {
  return inner_->forward(z, context);
}

TransformOutput Inverse::do_trace(const at::Tensor& x, const Context& context, bool inverse,
                                  const TraceVisitor& visit, const std::string& name) const {
  return inner_->trace(x, context, !inverse, visit, member_name(name, "inner"));
}

nlohmann::ordered_json Inverse::spec() const { return spec_of<Inverse>({inner_->spec()}); }

void Inverse::do_prepare(const at::Tensor& x, const Context& context) {
  const bool needed = inner_->prepare_needs_data();
  inner_->prepare(needed ? inner_->inverse(x, context).value : at::Tensor(), context);
}

}  // namespace contraflow
