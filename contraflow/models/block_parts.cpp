#include "contraflow/models/block_parts.h"

namespace contraflow {
namespace {

constexpr int64_t kMostExactTraining = 16;
constexpr int64_t kMostExactEvaluation = 64;

}  // namespace

std::vector<FormKind> forms_of(Family family) {
  switch (family) {
    case Family::kResidual:
      return {FormKind::kResidual};
    case Family::kInverseResidual:
      return {FormKind::kInverseResidual};
    case Family::kMonotone:
      return {FormKind::kMonotone};
    case Family::kImplicit:
      break;
  }
  return {FormKind::kResidual, FormKind::kInverseResidual};
}

LogDetOptions estimator_of(Phase phase, const std::optional<LogDetOptions>& chosen,
                           const EventShape& event) {
  if (chosen) return *chosen;
  const bool training = phase == Phase::kTrain;
  if (event.size() <= (training ? kMostExactTraining : kMostExactEvaluation)) return ExactLogDet{};
  return training ? RussianRoulette{.law = RouletteLaw::kOptimal}
                  : RussianRoulette{.exact_terms = 20};
}

nlohmann::ordered_json base_for(nlohmann::ordered_json base, const EventShape& event) {
  using Json = nlohmann::ordered_json;
  if (base.is_string()) base = Json{{"type", base}};
  if (base.is_object() && !base.contains("event"))
    base["event"] = event.is_row() ? Json(event.features()) : Json(event.sizes());
  return base;
}

}  // namespace contraflow
