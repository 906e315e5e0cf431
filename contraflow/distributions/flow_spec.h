#pragma once

#include <nlohmann/json.hpp>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/transforms/chain.h"

namespace contraflow {

/// A flow as data: what a config file, a checkpoint and the command line hold.
struct FlowSpec {
  /// Transform from data to latent: {"type": ..., its options}; see chain_spec().
  nlohmann::ordered_json transform = nlohmann::ordered_json::object();
  /// Base density: {"type": ..., its options}.
  nlohmann::ordered_json base = nlohmann::ordered_json::object();
};

template <class Field>
void visit(FlowSpec& o, Field&& field) {
  field("transform", o.transform, "Transform from data to latent: a type with its options.");
  field("base", o.base, "Base density: a type with its options.");
}

/// The flow of a spec, in float32 on the CPU; flow->to(dtype) or to(device) moves it.
/// Throws ConfigError: unknown type or option, shapes that do not fit.
CF_EXPORT FlowPtr build_flow(const FlowSpec& spec, std::string_view where = "flow");

/// The same spec with every default filled in, so that later defaults do not change it.
CF_EXPORT FlowSpec resolve_flow_spec(const FlowSpec& spec, std::string_view where = "flow");

/// The spec that builds a flow like this one; the weights are not in it. ConfigError when a member
/// was not built from options.
CF_EXPORT FlowSpec spec_of(const Flow& flow);

}  // namespace contraflow
