#pragma once

#include <initializer_list>
#include <utility>

#include "contraflow/core/export.h"
#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

/// What inputs a law sample takes.
enum class InputKind {
  kReal,     ///< Standard normal numbers.
  kBounded,  ///< Uniform numbers inside [lower, upper].
  kInteger,  ///< Integers lower ... upper.
};

struct InputDomain {
  InputKind kind = InputKind::kReal;
  double lower = 0.0;
  double upper = 1.0;
};

/// A small instance that the law tests (and default benchmarks) run.
struct LawSample {
  std::string name;
  nlohmann::ordered_json options;
  InputDomain domain;
  /// log_det is exact, so that it can be held against the Jacobian; false for random estimates and
  /// truncated series.
  bool exact_log_det = true;
  /// log_det is more than that of the Jacobian by this: the logarithm of the volume of a cell, where
  /// events are cells of steps.
  double log_cell = 0.0;
};

struct CF_EXPORT TransformEntry : RegistryEntry<Transform> {
  /// Options that hold specs of other transforms: one, or a list of them.
  std::vector<std::string> member_keys;
  std::vector<LawSample> samples;  ///< At least one.
};

/// A law sample from typed options.
template <class Options>
LawSample law_sample(std::string name, const Options& options, InputDomain domain = {},
                     bool exact_log_det = true, double log_cell = 0.0) {
  return {std::move(name), options_to_json(options), domain, exact_log_det, log_cell};
}

/// The one line that adds a flow: T has Options, kSummary and kSource, and is built from Options.
template <class T>
TransformEntry entry(std::vector<LawSample> samples) {
  TransformEntry out;
  fill_entry<T>(out);
  out.samples = std::move(samples);
  return out;
}

/// Every transform there is, in the order of the docs.
CF_EXPORT const std::vector<TransformEntry>& transform_registry();

/// {"type": "actnorm", "event": 2} -> a transform. Throws ConfigError; `where` starts its text.
CF_EXPORT TransformPtr make_transform(const nlohmann::ordered_json& spec,
                                      std::string_view where = "make_transform");
/// The same spec with every default filled in, members of composites included.
CF_EXPORT nlohmann::ordered_json resolve_transform(const nlohmann::ordered_json& spec,
                                                   std::string_view where = "resolve_transform");

/// The same for a list of specs, the option `key`; `where` gets "key[k]" appended. ConfigError if
/// `specs` is not a list.
CF_EXPORT std::vector<TransformPtr> make_transforms(const nlohmann::ordered_json& specs,
                                                    std::string_view where,
                                                    std::string_view key = "transforms");
CF_EXPORT nlohmann::ordered_json resolve_transforms(const nlohmann::ordered_json& specs,
                                                    std::string_view where,
                                                    std::string_view key = "transforms");

/// `spec` with `change` applied to the options (without "type") of every transform in it that is
/// not made of others: a new spec, for example one that evaluates otherwise. Returns how many
/// transforms `change` said it changed.
CF_EXPORT int64_t change_leaves(
    nlohmann::ordered_json& spec,
    const std::function<bool(const TransformEntry& entry, nlohmann::ordered_json& options)>& change,
    std::string_view where = "change_leaves");

}  // namespace contraflow
