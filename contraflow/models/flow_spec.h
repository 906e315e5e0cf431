#pragma once

#include <nlohmann/json.hpp>

#include "contraflow/core/options.h"
#include "contraflow/distributions/flow.h"

namespace contraflow {

/// A flow as data: what a config file, a checkpoint and the command line hold.
struct FlowSpec {
  /// Transforms in the order data -> latent, each {"type": ..., its options}.
  nlohmann::ordered_json transforms = nlohmann::ordered_json::array();
  /// Base density: {"type": ..., its options}.
  nlohmann::ordered_json base = nlohmann::ordered_json::object();
};

template <class Field>
void visit(FlowSpec& o, Field&& field) {
  field("transforms", o.transforms,
        "Transforms from data to latent, each a type with its options.");
  field("base", o.base, "Base density: a type with its options.");
}

/// The flow of a spec, in float32 on the CPU; flow->to(dtype) or to(device) moves it. The
/// transforms are always wrapped in a Chain, so that names of parameters do not depend on their
/// number. Throws ConfigError: unknown type or option, dimensions that do not fit.
FlowPtr build_flow(const FlowSpec& spec, std::string_view where = "flow");

/// The same spec with every default filled in, so that later defaults do not change it.
FlowSpec resolve_flow_spec(const FlowSpec& spec, std::string_view where = "flow");

}  // namespace contraflow
