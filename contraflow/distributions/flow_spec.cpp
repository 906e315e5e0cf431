#include "contraflow/distributions/flow_spec.h"

#include "contraflow/bases/base_registry.h"
#include "contraflow/transforms/registry.h"

namespace contraflow {

FlowPtr build_flow(const FlowSpec& spec, std::string_view where) {
  return std::make_shared<Flow>(make_transform(spec.transform, where),
                                make_base(spec.base, std::string(where) + " base"));
}

FlowSpec resolve_flow_spec(const FlowSpec& spec, std::string_view where) {
  return {resolve_transform(spec.transform, where),
          resolve_base(spec.base, std::string(where) + " base")};
}

FlowSpec spec_of(const Flow& flow) { return {flow.transform()->spec(), flow.base()->spec()}; }

}  // namespace contraflow
