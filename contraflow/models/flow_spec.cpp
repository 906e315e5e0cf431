#include "contraflow/models/flow_spec.h"

#include "contraflow/distributions/base_registry.h"
#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/registry.h"

namespace contraflow {

FlowPtr build_flow(const FlowSpec& spec, std::string_view where) {
  auto chain = std::make_shared<Chain>(make_transforms(spec.transforms, where));
  return std::make_shared<Flow>(std::move(chain),
                                make_base(spec.base, std::string(where) + " base"));
}

FlowSpec resolve_flow_spec(const FlowSpec& spec, std::string_view where) {
  return {resolve_transforms(spec.transforms, where),
          resolve_base(spec.base, std::string(where) + " base")};
}

}  // namespace contraflow
