// Gradients of every transform, by finite differences.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "tests/laws/law_case.h"
#include "tests/support/derivatives.h"
#include "tests/support/tensors.h"

namespace contraflow::laws {
namespace {

using contraflow::testing::central_difference;

// Central differences with step 1e-5: the third derivative times 2e-11, and rounding or solver
// errors of 1e-12 divided by the step.
constexpr double kDifferenceTolerance = 2e-6;
constexpr int kDirections = 2;

enum class Way { kForward, kInverse };

/// sum(A * value) + sum(c * log_det) with fixed weights of both signs, one c per sample.
struct WeightedLoss {
  const Transform& transform;
  Context context;
  Way way;
  bool with_log_det;

  at::Tensor operator()(const at::Tensor& input) const {
    const TransformOutput out = way == Way::kForward ? transform.forward(input, context)
                                                     : transform.inverse(input, context);
    const Rng rng = Rng(5).fork("weights");
    const at::Tensor a = rng.fork("value").normal(out.value.sizes(), out.value.options());
    const at::Tensor c = rng.fork("log_det").normal(out.log_det.sizes(), out.log_det.options());
    const at::Tensor value = (a * out.value).sum();
    return with_log_det ? value + (c * out.log_det).sum() : value;
  }
};

void expect_slopes(const WeightedLoss& loss, const at::Tensor& input, const at::Tensor& moved,
                   const at::Tensor& gradient, const std::function<void()>& after_move,
                   const std::string& name) {
  const auto evaluate = [&] {
    after_move();
    return loss(input).item<double>();
  };
  for (int k = 0; k < kDirections; ++k) {
    const at::Tensor raw = Rng(9)
                               .fork(name)
                               .fork(static_cast<uint64_t>(k))
                               .normal(moved.sizes(), moved.options().requires_grad(false));
    const at::Tensor direction = raw / raw.norm();
    const double expected = central_difference(evaluate, moved, direction);
    const double got = (gradient * direction).sum().item<double>();
    const double scale = std::max(1.0, gradient.norm().item<double>());
    EXPECT_NEAR(got, expected, kDifferenceTolerance * scale) << name;
  }
  after_move();
}

/// Inputs of the chosen direction: x itself, or its latent.
at::Tensor input_of(const Instance& instance, Way way) {
  if (way == Way::kForward) return instance.x;
  return instance.transform->forward(instance.x, instance.context).value.detach();
}

class GradientLaw {
 public:
  GradientLaw(const LawCase& law_case, Phase phase, Way way)
      : instance_(make_instance(law_case, at::kDouble, phase)),
        input_(input_of(instance_, way).clone()),
        loss_{*instance_.transform, instance_.context, way, law_case.sample.exact_log_det} {}

  void check_parameters() {
    std::vector<at::Tensor> parameters;
    std::vector<std::string> names;
    for (const auto& item : instance_.transform->named_parameters()) {
      if (!item.value().requires_grad()) continue;
      parameters.push_back(item.value());
      names.push_back(item.key());
    }
    ASSERT_FALSE(parameters.empty());
    const auto gradients = torch::autograd::grad({loss_(input_)}, parameters);
    for (size_t i = 0; i < parameters.size(); ++i) {
      EXPECT_GT(gradients[i].norm().item<double>(), 0.0) << names[i];
      expect_slopes(
          loss_, input_, parameters[i], gradients[i], [this] { refresh(); }, names[i]);
    }
  }

  void check_input() {
    const at::Tensor leaf = input_.clone().requires_grad_(true);
    const auto gradient = torch::autograd::grad({loss_(leaf)}, {leaf});
    EXPECT_GT(gradient[0].norm().item<double>(), 0.0);
    expect_slopes(
        loss_, input_, input_, gradient[0], [] {}, "input");
  }

  void check_condition() {
    ASSERT_TRUE(loss_.context.condition.defined());
    const at::Tensor condition = loss_.context.condition.clone();
    const at::Tensor leaf = condition.clone().requires_grad_(true);
    loss_.context.condition = leaf;
    const auto gradient = torch::autograd::grad({loss_(input_)}, {leaf});
    EXPECT_GT(gradient[0].norm().item<double>(), 0.0);
    loss_.context.condition = condition;
    expect_slopes(
        loss_, input_, condition, gradient[0], [] {}, "condition");
  }

 private:
  /// Brings what depends on the parameters (norm bounds) up to date after one was moved.
  void refresh() {
    instance_.transform->defer_calibration();
    instance_.transform->prepare({}, instance_.context);
  }

  Instance instance_;
  at::Tensor input_;
  WeightedLoss loss_;
};

constexpr std::array kPhases{Phase::kTrain, Phase::kEvaluate};

TEST_P(TransformLaw, ParameterGradientsMatchDifferences) {
  for (const Phase phase : kPhases)
    GradientLaw(GetParam(), phase, Way::kForward).check_parameters();
}

TEST_P(TransformLaw, InputGradientMatchesDifferences) {
  for (const Phase phase : kPhases) GradientLaw(GetParam(), phase, Way::kForward).check_input();
}

TEST_P(TransformLaw, ConditionGradientMatchesDifferences) {
  for (const Phase phase : kPhases) GradientLaw(GetParam(), phase, Way::kForward).check_condition();
}

TEST_P(TransformLaw, InverseInputGradientMatchesDifferences) {
  GradientLaw(GetParam(), Phase::kEvaluate, Way::kInverse).check_input();
}

TEST_P(TransformLaw, InverseParameterGradientsMatchDifferences) {
  GradientLaw(GetParam(), Phase::kEvaluate, Way::kInverse).check_parameters();
}

TEST_P(TransformLaw, InverseConditionGradientMatchesDifferences) {
  GradientLaw(GetParam(), Phase::kEvaluate, Way::kInverse).check_condition();
}

}  // namespace
}  // namespace contraflow::laws
