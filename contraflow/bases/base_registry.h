#pragma once

#include "contraflow/bases/base.h"
#include "contraflow/core/export.h"
#include "contraflow/core/registry_entry.h"

namespace contraflow {

struct CF_EXPORT BaseEntry : RegistryEntry<Base> {
  /// Options of a small instance that the tests run, of the event that they ask for.
  std::function<nlohmann::ordered_json(const EventShape& event)> sample;
};

/// Every base density there is, in the order of the docs.
CF_EXPORT const std::vector<BaseEntry>& base_registry();

/// {"type": "normal", "event": 2} -> a base. Throws ConfigError; `where` starts its text.
CF_EXPORT BasePtr make_base(const nlohmann::ordered_json& spec,
                            std::string_view where = "make_base");
/// The same spec with every default filled in.
CF_EXPORT nlohmann::ordered_json resolve_base(const nlohmann::ordered_json& spec,
                                              std::string_view where = "resolve_base");

}  // namespace contraflow
