#include "tests/laws/law_case.h"

#include <ATen/ATen.h>

#include <cmath>

#include "tests/laws/law_samples.h"
#include "tests/laws/law_scope.h"

namespace contraflow::laws {
namespace {

const Rng kDataRng = Rng(2024).fork("laws");
constexpr int64_t kPrepareRows = 64;

}  // namespace

void PrintTo(const LawCase& law_case, std::ostream* out) { *out << law_case.name(); }

std::vector<LawCase> all_cases() {
  std::vector<LawCase> out;
  for (const TransformEntry& entry : transform_registry()) {
    for (LawSample& sample : samples_of(entry)) out.push_back({&entry, std::move(sample)});
  }
  return out;
}

at::Tensor draw_inputs(const LawCase& law_case, const Transform& transform, int64_t rows,
                       const Rng& rng, at::ScalarType dtype) {
  std::vector<int64_t> shape = transform.event_shape();
  shape.insert(shape.begin(), rows);
  const InputDomain& domain = law_case.sample.domain;
  // Drawn in float64 first, so that both types see the same inputs.
  if (domain.kind == InputKind::kReal) return rng.normal(shape, at::kDouble).to(dtype);
  const at::Tensor u = rng.uniform(shape, at::kDouble);
  if (domain.kind == InputKind::kBounded) {
    return (domain.lower + (domain.upper - domain.lower) * u).to(dtype);
  }
  return (domain.lower + (domain.upper - domain.lower + 1.0) * u).floor().to(dtype);
}

Context draw_context(const Transform& transform, int64_t rows, at::ScalarType dtype, Phase phase) {
  Context out;
  out.rng = Rng(17);
  out.phase = phase;
  if (std::vector<int64_t> shape = transform.condition_shape(); !shape.empty()) {
    shape.insert(shape.begin(), rows);
    out.condition = kDataRng.fork("condition").normal(shape, at::kDouble).to(dtype);
  }
  return out;
}

TransformPtr make_prepared(const LawCase& law_case, at::ScalarType dtype) {
  TransformPtr transform = make_transform(law_case.spec(), law_case.name());
  transform->to(dtype);
  transform->prepare(
      draw_inputs(law_case, *transform, kPrepareRows, kDataRng.fork("prepare"), dtype),
      draw_context(*transform, kPrepareRows, dtype));
  return transform;
}

Instance make_instance(const LawCase& law_case, at::ScalarType dtype, Phase phase) {
  TransformPtr transform = make_prepared(law_case, dtype);
  const at::Tensor x = draw_inputs(law_case, *transform, kRows, kDataRng.fork("x"), dtype);
  return {transform, x, draw_context(*transform, kRows, dtype, phase)};
}

Context slice_context(const Context& context, int64_t begin, int64_t end) {
  Context out = context;
  out.rng = context.rng.rows_from(context.rng.first_row() + begin);
  if (out.condition.defined()) out.condition = context.condition.slice(0, begin, end);
  return out;
}

void TransformLaw::SetUp() {
  const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const LawScope* scope = find_scope(name.substr(0, name.find('/')));
  if (scope != nullptr && !scope->covers(GetParam())) GTEST_SKIP() << scope->reason;
}

}  // namespace contraflow::laws
