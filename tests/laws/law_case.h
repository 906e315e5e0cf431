#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "contraflow/transforms/registry.h"

namespace contraflow::laws {

/// One law sample of one registry entry. Printed and named "entry_sample".
struct LawCase {
  const TransformEntry* entry;
  LawSample sample;

  std::string name() const { return entry->name + "_" + sample.name; }
  nlohmann::ordered_json spec() const { return with_type(entry->name, sample.options); }
  /// The inputs are real numbers, so that they can be moved a little.
  bool on_reals() const { return sample.domain.kind != InputKind::kInteger; }
};

void PrintTo(const LawCase& law_case, std::ostream* out);
std::vector<LawCase> all_cases();

/// A prepared transform with a batch to try it on.
struct Instance {
  TransformPtr transform;
  at::Tensor x;     ///< [rows, event]
  Context context;  ///< A condition where the transform takes one.
};

constexpr int64_t kRows = 5;

/// `rows` inputs of the case's domain, drawn from `rng`.
at::Tensor draw_inputs(const LawCase& law_case, const Transform& transform, int64_t rows,
                       const Rng& rng, at::ScalarType dtype);
Context draw_context(const Transform& transform, int64_t rows, at::ScalarType dtype,
                     Phase phase = Phase::kEvaluate);
/// A fresh transform of `dtype`, prepared on 64 rows of its domain.
TransformPtr make_prepared(const LawCase& law_case, at::ScalarType dtype);
Instance make_instance(const LawCase& law_case, at::ScalarType dtype,
                       Phase phase = Phase::kEvaluate);
/// Rows [begin, end) of the context, drawing what they draw in the whole batch.
Context slice_context(const Context& context, int64_t begin, int64_t end);

/// Skips the cases that the law does not speak of (law_scope.h).
class TransformLaw : public ::testing::TestWithParam<LawCase> {
 protected:
  void SetUp() override;
};

}  // namespace contraflow::laws
