#pragma once

#include "contraflow/core/registry_entry.h"
#include "contraflow/bases/base.h"

namespace contraflow {

struct BaseEntry : RegistryEntry<Base> {
  /// Options of a small instance that the tests run, in as many dimensions as they ask for.
  std::function<nlohmann::ordered_json(int64_t dim)> sample;
};

/// Every base density there is, in the order of the docs.
const std::vector<BaseEntry>& base_registry();

/// {"type": "normal", "dim": 2} -> a base. Throws ConfigError; `where` starts its text.
BasePtr make_base(const nlohmann::ordered_json& spec, std::string_view where = "make_base");
/// The same spec with every default filled in.
nlohmann::ordered_json resolve_base(const nlohmann::ordered_json& spec,
                                    std::string_view where = "resolve_base");

}  // namespace contraflow
