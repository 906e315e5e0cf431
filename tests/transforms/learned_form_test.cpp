// Learned matrices: their derivatives, where they may go, and what runs them.
#include "contraflow/transforms/learned_form.h"

#include <torch/csrc/autograd/autograd.h>

#include "contraflow/kernels/isa.h"
#include "contraflow/log_det/log_det.h"
#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/contractive_block.h"
#include "contraflow/transforms/lowering.h"
#include "tests/support/derivatives.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using kernels::ScopedIsa;
using testing::error_of;
using testing::near;

constexpr int64_t kDim = 2;
constexpr double kKappa = 0.8;

// In two dimensions two Rademacher probes are a whole group: traces are exact.
ContractiveBlockOptions options_of(FormKind start) {
  ContractiveBlockOptions o{.event = kDim, .form = start};
  if (start == FormKind::kCustom) o.matrix = {1.0, -0.6, 0.9, 0.7};
  o.learn_form = true;
  o.net.activation = Activation::kClipSwish;
  o.net.depth = 2;
  o.net.growth = 6;
  o.net.lipschitz = kKappa;
  o.net.init_gain = 3.0;
  o.train_log_det = o.eval_log_det = ExactLogDet{};
  o.train_tolerance = o.tolerance = o.backward_tolerance = 1e-13;
  return o;
}

std::shared_ptr<ContractiveBlock> block_of(const ContractiveBlockOptions& options,
                                           const std::vector<double>& offset = {0, 0}) {
  auto block = std::make_shared<ContractiveBlock>(options);
  block->to(at::kDouble);
  if (options.learn_form) {
    const at::NoGradGuard guard;
    block->named_parameters()["form.offset"].copy_(at::tensor(offset, at::kDouble));
  }
  return block;
}

at::Tensor points(int64_t rows = 12) { return Rng(9).normal({rows, kDim}, at::kDouble); }

const FormKind kStarts[] = {FormKind::kResidual, FormKind::kInverseResidual, FormKind::kMonotone,
                            FormKind::kCustom};
// The last ones: B next to 0 from a residual start, and A D next to B C.
const std::vector<double> kOffsets[] = {{0.3, -0.7}, {-1.5, 0.9}, {1e-7, 0.0}, {0.8, 0.8}};

TEST(LearnedForm, StartsAsTheFixedForm) {
  for (const FormKind start : kStarts) {
    ContractiveBlockOptions fixed = options_of(start);
    fixed.learn_form = false;
    const auto learned = block_of(options_of(start)), plain = block_of(fixed);
    const auto run = [&](const ContractiveBlock& block, bool inverse) {
      const at::Tensor x = points().requires_grad_(true);
      const TransformOutput out = inverse ? block.inverse(x) : block.forward(x);
      std::vector<at::Tensor> inputs = block.net()->parameters();
      inputs.push_back(x);
      std::vector<at::Tensor> all = torch::autograd::grad(
          {out.value.square().sum() + (out.log_det * x.detach().select(1, 0)).sum()}, inputs);
      all.push_back(out.value);
      all.push_back(out.log_det);
      return all;
    };
    const ScopedIsa composed("composed");
    for (const bool inverse : {false, true}) {
      const auto got = run(*learned, inverse), expected = run(*plain, inverse);
      for (size_t k = 0; k < got.size(); ++k)
        EXPECT_TRUE(near(got[k], expected[k], 1e-12)) << enum_name(start) << " " << k;
    }
  }
}

TEST(LearnedForm, LogDetIsThatOfTheJacobian) {
  for (const FormKind start : kStarts) {
    for (const auto& offset : kOffsets) {
      const auto block = block_of(options_of(start), offset);
      for (const bool inverse : {false, true}) {
        const auto map = [&](const at::Tensor& x) {
          return inverse ? block->inverse(x) : block->forward(x);
        };
        const at::Tensor x = points();
        const at::Tensor jac =
            testing::batch_jacobian([&](const at::Tensor& at) { return map(at).value; }, x);
        EXPECT_TRUE(near(map(x).log_det, std::get<1>(at::linalg_slogdet(jac)), 1e-10));
      }
    }
  }
}

// Central differences of step 1e-5: the third derivative times 2e-11, and solves of 1e-13 over it.
void expect_gradients(const ContractiveBlockOptions& options, const std::vector<double>& offset,
                      const std::string& where) {
  SCOPED_TRACE(where);
  const auto block = block_of(options, offset);
  const Context context{.rng = Rng(4), .phase = Phase::kTrain};
  for (const bool inverse : {false, true}) {
    block->net()->refresh(/*force=*/true);
    const at::Tensor x = points();
    const at::Tensor c = Rng(3).normal({x.size(0)}, at::kDouble);
    const auto loss = [&] {
      const TransformOutput out = inverse ? block->inverse(x, context) : block->forward(x, context);
      return (out.value.pow(3) / 3).sum() + (c * out.log_det).sum();
    };
    x.requires_grad_(true);
    std::vector<at::Tensor> inputs = block->parameters();
    inputs.push_back(x);
    const std::vector<at::Tensor> gradients = torch::autograd::grad({loss()}, inputs);
    for (size_t k = 0; k < inputs.size(); ++k) {
      // Effective weights are scaled by norms: prepare() after a move, as training does.
      const auto moved = [&] {
        block->net()->refresh(/*force=*/true);
        const at::NoGradGuard guard;
        return loss().item<double>();
      };
      const bool own = k + 2 == inputs.size();  // the offset: every entry by itself
      for (int64_t j = 0; j < (own ? 2 : 1); ++j) {
        const at::Tensor direction =
            own ? at::eye(2, at::kDouble)[j]
                : Rng(9).fork(k).normal(inputs[k].sizes(), at::TensorOptions(at::kDouble));
        const double expected = testing::central_difference(moved, inputs[k], direction);
        const double got = (gradients[k] * direction).sum().item<double>();
        EXPECT_NEAR(got, expected, 2e-6 * std::max(1.0, std::abs(expected)))
            << "input " << k << (inverse ? " inverse" : " forward");
      }
    }
  }
}

TEST(LearnedForm, GradientsAreThoseOfFiniteDifferences) {
  for (const FormKind start : kStarts) {
    ContractiveBlockOptions options = options_of(start);
    options.net.norm_tolerance = 1e-9;
    for (const auto& offset : kOffsets) {
      expect_gradients(options, offset, c10::str(enum_name(start), " ", offset[0], " ", offset[1]));
    }
  }
}

// Even powers have derivatives where their coefficient is 0: at the monotone start itself.
TEST(LearnedForm, EveryEstimatorHasTheGradientOfItsValue) {
  const LogDetOptions estimators[] = {
      TruncatedSeries{.terms = 4, .probes = kDim},
      AdaptiveSeries{.tolerance = 1e-6, .probes = kDim},
      KrylovQuadrature{.steps = kDim, .probes = kDim},
      RussianRoulette{.exact_terms = 3, .geometric_p = 0.4, .probes = kDim}};
  for (const LogDetOptions& estimator : estimators) {
    ContractiveBlockOptions options = options_of(FormKind::kMonotone);
    options.net.norm_tolerance = 1e-9;
    options.train_log_det = estimator;
    const std::vector<double> offsets[] = {{0.0, 0.0}, {0.4, -0.6}};
    for (const auto& offset : offsets)
      expect_gradients(options, offset, c10::str("estimator ", estimator.index()));
  }
}

TEST(LearnedForm, EstimatorsAgreeOnTheDerivativesByTheRatios) {
  const auto block = block_of(options_of(FormKind::kMonotone), {0.3, -0.5});
  const auto point = block->net()->linearize(points(), {});
  const auto ratios = [&](const LogDetOptions& options, const TermLaw* law = nullptr) {
    return estimate_log_det(block->form(), *point, block->net()->bound(), options, Rng(2), true,
                            law)
        .ratios;
  };
  const at::Tensor exact = ratios(ExactLogDet{});
  EXPECT_TRUE(near(ratios(TruncatedSeries{.terms = 400, .probes = kDim}), exact, 1e-10));
  EXPECT_TRUE(near(ratios(AdaptiveSeries{.tolerance = 1e-13, .probes = kDim}), exact, 1e-10));
  EXPECT_TRUE(near(ratios(KrylovQuadrature{.steps = kDim, .probes = kDim}), exact, 1e-10));
  for (const double shift : {0.0, 0.05}) {
    const TermLaw all{shift, std::vector<double>(600, 1.0)};
    EXPECT_TRUE(near(ratios(RussianRoulette{.probes = kDim}, &all), exact, 1e-10)) << shift;
  }
}

TEST(LearnedForm, NoDerivativesAreComputedForFixedForms) {
  ContractiveBlockOptions options = options_of(FormKind::kMonotone);
  options.learn_form = false;
  const auto block = block_of(options);
  const auto point = block->net()->linearize(points(), {});
  EXPECT_FALSE(
      estimate_log_det(block->form(), *point, block->net()->bound(), ExactLogDet{}, Rng(2), true)
          .ratios.defined());
}

TEST(LearnedForm, IsAdmissibleForAnyParameters) {
  for (const FormKind start : kStarts) {
    for (const double below : {-1e4, -40.0, 0.0, 1e4}) {
      for (const double above : {-1e4, 0.0, 40.0, 1e4}) {
        for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
          ContractiveBlockOptions options = options_of(start);
          options.tolerance = options.train_tolerance = dtype == at::kDouble ? 1e-10 : 1e-4;
          const auto block = block_of(options, {below, above});
          block->to(dtype);
          const BlockForm form = block->form();
          EXPECT_TRUE(form.admissible(kKappa));
          EXPECT_LE(form.series_ratio(kKappa), std::sqrt(kKappa) * (1 + 1e-15));
          EXPECT_TRUE(form.a > 0 && form.c > 0);
          const at::Tensor x = points().to(dtype).requires_grad_(true);
          const TransformOutput out = block->forward(x);
          const double tolerance = dtype == at::kDouble ? 1e-8 : 1e-2;
          EXPECT_TRUE(near(block->inverse(out.value.detach()).value, x, tolerance))
              << enum_name(start) << " " << below << " " << above;
          (out.value.sum() + out.log_det.sum()).backward();
          for (const at::Tensor& p : block->parameters())
            EXPECT_TRUE(at::isfinite(p.grad()).all().item<bool>());
        }
      }
    }
  }
}

TEST(LearnedForm, RoundTripsWithinItsBound) {
  for (const FormKind start : kStarts) {
    for (const auto& offset : kOffsets) {
      ContractiveBlockOptions options = options_of(start);
      options.tolerance = 1e-9;
      const auto block = block_of(options, offset);
      for (const char* isa : {"composed", ""}) {
        const ScopedIsa pin(*isa == '\0' ? kernels::available_isas().front() : isa);
        const at::NoGradGuard guard;
        const at::Tensor x = points(40);
        const TransformOutput out = block->forward(x);
        const TransformOutput back = block->inverse(out.value);
        const auto or_zero = [&](const at::Tensor& t) {
          return t.defined() ? t : at::zeros({x.size(0)}, x.options());
        };
        const at::Tensor bound = or_zero(back.solve_error_bound) +
                                 or_zero(out.solve_error_bound) * *block->inverse_lipschitz();
        const at::Tensor error = (back.value - x).norm(2, at::IntArrayRef{1});
        EXPECT_TRUE(error.le(bound + 1e-12).all().item<bool>()) << enum_name(start) << offset[0];
        EXPECT_LE(error.max().item<double>(), 1e-7);
      }
    }
  }
}

// Steps far too long for the matrix: it runs into the edge of the admissible set and stays there.
TEST(LearnedForm, StaysAdmissibleInTraining) {
  ContractiveBlockOptions options = options_of(FormKind::kMonotone);
  options.train_tolerance = options.tolerance = 1e-6;
  const auto block = block_of(options);
  const at::Tensor x = 0.3 * points(64);
  const BlockForm before = block->form();
  const at::Tensor offset = block->named_parameters()["form.offset"];
  for (int step = 0; step < 30; ++step) {
    block->prepare(x);
    for (const at::Tensor& p : block->parameters()) p.mutable_grad() = at::Tensor();
    const TransformOutput out = block->forward(x, {.rng = Rng(step), .phase = Phase::kTrain});
    const at::Tensor loss = (0.5 * out.value.square().sum(1) - out.log_det).mean();
    ASSERT_TRUE(std::isfinite(loss.item<double>()));
    loss.backward();
    const at::NoGradGuard guard;
    for (const at::Tensor& p : block->parameters()) p.sub_(p.grad(), p.is_same(offset) ? 20 : 0.05);
    ASSERT_TRUE(block->form().admissible(block->net()->lipschitz())) << step;
    ASSERT_TRUE(block->form().admissible(kKappa)) << step;
  }
  EXPECT_GT(std::abs(block->form().d - before.d), 0.01);
}

TEST(LearnedForm, KernelsRunItWhereNoGradientIsWanted) {
  const auto block = block_of(options_of(FormKind::kMonotone), {0.3, -0.6});
  const at::Tensor x = points(37);
  TileLowering to(x);
  EXPECT_FALSE(block->lower(to, {}, false));
  {
    const at::NoGradGuard guard;
    EXPECT_FALSE(block->lower(to, {.hints = {.direct_gradients = true}}, false));
    ASSERT_TRUE(block->lower(to, {}, false));
    for (const bool inverse : {false, true}) {
      const auto run = [&] { return inverse ? block->inverse(x) : block->forward(x); };
      const TransformOutput kernel = run();
      const ScopedIsa composed("composed");
      const TransformOutput expected = run();
      EXPECT_TRUE(near(kernel.value, expected.value, 1e-10));
      EXPECT_TRUE(near(kernel.log_det, expected.log_det, 1e-10));
    }
  }
  // B next to 0: x and w would cancel in the kernels.
  const auto small = block_of(options_of(FormKind::kResidual), {1e-3, 0.0});
  const at::NoGradGuard guard;
  TileLowering other(x);
  EXPECT_FALSE(small->lower(other, {}, false));
  EXPECT_EQ(other.blocks, 0);
}

TEST(LearnedForm, FrozenItRunsInTheKernelsWithGradients) {
  const auto block = block_of(options_of(FormKind::kMonotone), {0.3, -0.6});
  block->named_parameters()["form.offset"].set_requires_grad(false);
  const at::Tensor x = points(37);
  TileLowering to(x);
  EXPECT_TRUE(block->lower(to, {}, false));
  const auto gradients = [&] {
    const TransformOutput out = block->forward(x);
    return torch::autograd::grad({out.value.pow(3).sum() + out.log_det.sum()},
                                 block->net()->parameters());
  };
  const auto kernel = gradients();
  const ScopedIsa composed("composed");
  const auto expected = gradients();
  for (size_t k = 0; k < kernel.size(); ++k) EXPECT_TRUE(near(kernel[k], expected[k], 1e-9)) << k;
}

TEST(LearnedForm, DirectGradientsAreThoseOfAutograd) {
  const auto block = block_of(options_of(FormKind::kInverseResidual), {0.3, -0.6});
  const auto gradient = [&](bool direct) {
    for (const at::Tensor& p : block->parameters()) p.mutable_grad() = at::Tensor();
    const TransformOutput out = block->forward(points(), {.hints = {.direct_gradients = direct}});
    (out.value.square().sum() + out.log_det.sum()).backward();
    return block->named_parameters()["form.offset"].grad().clone();
  };
  EXPECT_TRUE(at::equal(gradient(true), gradient(false)));
}

TEST(LearnedForm, AStartAtTheEdgeIsAnError) {
  ContractiveBlockOptions options = options_of(FormKind::kCustom);
  options.matrix = {1.0, 1.2, 1.0, 0.3};  // 1.2 .8 < 1, but 1.2 > .8^-1/2
  const std::string text = error_of<ConfigError>([&] { ContractiveBlock block(options); });
  EXPECT_NE(text.find("[contractive_block] learn_form: expected |B / A| and |D / C| below"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace contraflow
