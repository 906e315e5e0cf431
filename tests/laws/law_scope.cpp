#include "tests/laws/law_scope.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

namespace contraflow::laws {
namespace {

bool on_reals(const LawCase& c) { return c.on_reals(); }
bool exact(const LawCase& c) { return c.sample.exact_log_det; }
bool stochastic(const LawCase& c) { return !make_transform(c.spec())->bijective(); }
bool conditional(const LawCase& c) { return make_transform(c.spec())->conditional(); }
bool typed(const LawCase& c) { return first_floating_tensor(*make_transform(c.spec())).defined(); }

bool trainable(const LawCase& c) {
  const std::vector<at::Tensor> all = make_transform(c.spec())->parameters();
  return std::any_of(all.begin(), all.end(), [](const auto& p) { return p.requires_grad(); });
}

bool bounded(const LawCase& c) {
  if (!c.on_reals()) return false;
  const TransformPtr t = make_prepared(c, at::kDouble);
  return t->forward_lipschitz().has_value() || t->inverse_lipschitz().has_value();
}

constexpr std::string_view kNoSlope = "a floor has no slope and no Jacobian";
constexpr std::string_view kNoUndoing = "a floor cannot be undone";
constexpr std::string_view kEstimated = "the log-determinant is an estimate";
constexpr std::string_view kNoDraws = "forward draws nothing";
constexpr std::string_view kNoCondition = "takes no condition";
constexpr std::string_view kNoParameters = "has nothing to train";
constexpr std::string_view kAnyType = "holds no tensors, so it takes both types";
constexpr std::string_view kNoBounds = "promises no Lipschitz bound";

constexpr std::array kScopes{
    LawScope{"ForwardOfInverseIsIdentity", on_reals, kNoUndoing, 53},
    LawScope{"LogDetIsSlogdetOfTheJacobian", exact, kEstimated, 55},
    LawScope{"LogDetOfTheInverseIsMinusLogDet", exact, kEstimated, 55},
    LawScope{"LogDetsDoNotDependOnTheBatch", exact, kEstimated, 55},
    LawScope{"StochasticEntriesFollowTheSeed", stochastic, kNoDraws, 9},
    LawScope{"LipschitzBoundsHold", bounded, kNoBounds, 30},
    LawScope{"ConditionReachesTheOutputs", conditional, kNoCondition, 5},
    LawScope{"MissingConditionIsAnError", conditional, kNoCondition, 5},
    LawScope{"OtherFloatTypeIsAnError", typed, kAnyType, 47},
    LawScope{"ParameterGradientsMatchDifferences", trainable, kNoParameters, 42},
    LawScope{"InputGradientMatchesDifferences", on_reals, kNoSlope, 53},
    LawScope{"ConditionGradientMatchesDifferences", conditional, kNoCondition, 5},
    LawScope{"InverseInputGradientMatchesDifferences", on_reals, kNoSlope, 53},
    LawScope{"InverseParameterGradientsMatchDifferences",
             [](const LawCase& c) { return on_reals(c) && trainable(c); }, kNoParameters, 40},
    LawScope{"InverseConditionGradientMatchesDifferences", conditional, kNoCondition, 5},
};

}  // namespace

std::span<const LawScope> law_scopes() { return kScopes; }

const LawScope* find_scope(std::string_view law) {
  const auto found = std::find_if(kScopes.begin(), kScopes.end(),
                                  [law](const LawScope& scope) { return scope.law == law; });
  return found == kScopes.end() ? nullptr : &*found;
}

}  // namespace contraflow::laws
