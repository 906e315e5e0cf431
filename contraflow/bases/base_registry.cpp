#include "contraflow/bases/base_registry.h"

#include "contraflow/bases/diagonal_normal.h"
#include "contraflow/bases/logistic.h"
#include "contraflow/bases/normal.h"
#include "contraflow/bases/normal_mixture.h"
#include "contraflow/bases/uniform.h"

namespace contraflow {
namespace {

constexpr const char* kListBases = "contraflow list bases";

/// The one line that adds a base; `sample` are its test options, to which the event is added.
template <class T>
BaseEntry entry(typename T::Options sample = {}) {
  BaseEntry out;
  fill_entry<T>(out);
  out.sample = [sample](const EventShape& event) {
    auto options = sample;
    options.event = event;
    return options_to_json(options);
  };
  return out;
}

}  // namespace

const std::vector<BaseEntry>& base_registry() {
  static const std::vector<BaseEntry> registry{
      entry<Normal>(),
      entry<Logistic>(),
      entry<Uniform>({.lower = -1.0, .upper = 2.0}),
      entry<DiagonalNormal>(),
      entry<NormalMixture>({.components = 3}),
  };
  return registry;
}

BasePtr make_base(const nlohmann::ordered_json& spec, std::string_view where) {
  return find_entry(base_registry(), spec, where, kListBases).make(options_of(spec), where);
}

nlohmann::ordered_json resolve_base(const nlohmann::ordered_json& spec, std::string_view where) {
  const BaseEntry& found = find_entry(base_registry(), spec, where, kListBases);
  return with_type(found.name, found.resolve(options_of(spec), where));
}

}  // namespace contraflow
