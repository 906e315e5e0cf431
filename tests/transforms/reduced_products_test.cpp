// Blocks whose series and solves take products of reduced precision, against the same blocks in float64.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "contraflow/core/rng.h"
#include "contraflow/core/roundoff.h"
#include "contraflow/log_det/log_det.h"
#include "contraflow/transforms/contractive_block.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using testing::near;

constexpr ProductType kNarrowTypes[] = {ProductType::kBFloat16, ProductType::kTf32};
constexpr int64_t kNarrowBatch = 24;

ContractiveBlockOptions narrow_options(FormKind form, ProductType products, bool images) {
  ContractiveBlockOptions o{.event = images ? EventShape{2, 4, 5} : EventShape(6),
                            .form = form,
                            .net = {.kind = NetKind::kSequential,
                                    .hidden = {20, 20},
                                    .activation = Activation::kLipSwish,
                                    .activate_input = true,
                                    .lipschitz = 0.9,
                                    .products = products,
                                    .init_gain = 4.0}};
  if (images) o.net.kernels = {3, 1, 3};
  return o;
}

at::Tensor narrow_events(const ContractiveBlock& block, uint64_t seed) {
  std::vector<int64_t> sizes = block.event_shape();
  sizes.insert(sizes.begin(), kNarrowBatch);
  return Rng(seed).normal(sizes, at::kFloat);
}

std::shared_ptr<ContractiveBlock> narrow_block(const ContractiveBlockOptions& options) {
  const auto block = std::make_shared<ContractiveBlock>(options);
  block->prepare(narrow_events(*block, 1));
  return block;
}

/// The same weights in float64, working products.
std::shared_ptr<ContractiveBlock> exact_twin(const ContractiveBlock& block) {
  ContractiveBlockOptions options = block.options();
  options.net.products = ProductType::kWorking;
  options.tolerance = 1e-12;
  const auto twin = narrow_block(options);
  twin->to(at::kDouble);
  return twin;
}

double largest(const at::Tensor& t) { return t.abs().max().item<double>(); }

const LogDetOptions kNarrowSeries[] = {TruncatedSeries{.terms = 8, .probes = 2},
                                       AdaptiveSeries{.tolerance = 1e-3, .probes = 2},
                                       RussianRoulette{.exact_terms = 4, .geometric_p = 0.5}};

/// Weights near the identity and slopes near 1: powers of the Jacobian that fall slowly.
void make_steep(ContractiveBlock& block) {
  for (const auto& named : block.named_parameters()) {
    const at::Tensor p = named.value().detach();
    if (named.key().ends_with("bias")) p.fill_(2.0);
    if (p.dim() < 2) continue;
    p.mul_(0.1);
    const at::Tensor middle =
        p.dim() == 4 ? p.select(3, p.size(3) / 2).select(2, p.size(2) / 2) : p;
    middle.add_(at::eye(p.size(0), p.size(1)));
  }
  block.prepare(narrow_events(block, 1).to(block.parameters()[0].scalar_type()));
}

// The rounding of a series lies below the part of the bias bound that is not its tail; with float32's
// roundoff in its place the bound would not cover it.
TEST(ReducedProducts, LogDeterminantsAreOffByLessThanTheBound) {
  const at::NoGradGuard guard;
  for (const bool images : {false, true}) {
    for (const ProductType type : kNarrowTypes) {
      for (const LogDetOptions& series : kNarrowSeries) {
        SCOPED_TRACE(c10::str(enum_name(type), images ? " images " : " rows ", series.index()));
        ContractiveBlockOptions options = narrow_options(FormKind::kResidual, type, images);
        options.eval_log_det = series;
        options.net.hidden = {6, 6};
        const auto block = narrow_block(options), exact = exact_twin(*block);
        make_steep(*block);
        make_steep(*exact);
        EXPECT_EQ(block->randomness(Phase::kEvaluate), Randomness::kBiased);
        const at::Tensor x = narrow_events(*block, 2);
        const Context context{.rng = Rng(3)};
        const TransformOutput found = block->forward(x, context);
        const TransformOutput truth = exact->forward(x.to(at::kDouble), context);
        const at::Tensor tail = truth.log_det_bias_bound.defined() ? truth.log_det_bias_bound
                                                                   : at::zeros_like(truth.log_det);
        const at::Tensor rounding = found.log_det_bias_bound.to(at::kDouble) - tail;
        const at::Tensor error = (found.log_det.to(at::kDouble) - truth.log_det).abs();
        const bool same_terms = !std::holds_alternative<AdaptiveSeries>(series);
        EXPECT_TRUE(error.le(same_terms ? rounding : rounding + 2 * tail).all().item<bool>());
        const double as_float32 = unit_roundoff(at::kFloat) / unit_roundoff(type, at::kFloat);
        EXPECT_GT(largest(error), 4 * as_float32 * largest(rounding));
        EXPECT_TRUE(near(found.value, truth.value, 1e-5));
      }
    }
  }
}

TEST(ReducedProducts, ExactAndKrylovTakeWorkingProducts) {
  const at::NoGradGuard guard;
  for (const LogDetOptions& estimator :
       {LogDetOptions(ExactLogDet{}), LogDetOptions(KrylovQuadrature{})}) {
    ContractiveBlockOptions options =
        narrow_options(FormKind::kResidual, ProductType::kBFloat16, /*images=*/true);
    options.eval_log_det = estimator;
    const auto block = narrow_block(options);
    options.net.products = ProductType::kWorking;
    const auto plain = narrow_block(options);
    const at::Tensor x = narrow_events(*block, 2);
    const Context context{.rng = Rng(3)};
    EXPECT_TRUE(at::equal(block->forward(x, context).log_det, plain->forward(x, context).log_det));
    EXPECT_EQ(block->randomness(Phase::kEvaluate), plain->randomness(Phase::kEvaluate));
  }
}

TEST(ReducedProducts, TrainingInFloat64RefusesThem) {
  const auto block =
      narrow_block(narrow_options(FormKind::kResidual, ProductType::kTf32, /*images=*/false));
  block->to(at::kDouble);
  EXPECT_EQ(block->randomness(Phase::kTrain), Randomness::kUnbiased);
  const std::string text =
      error_of<ConfigError>([&] { block->prepare(narrow_events(*block, 1).to(at::kDouble)); });
  EXPECT_NE(
      text.find("[contractive_block] net.products: expected 'working' to train in float64, got "
                "'tf32'"),
      std::string::npos)
      << text;
}

// Solves end in working products: the certified error is that of a working solve, and true.
TEST(ReducedProducts, SolvesEndAtTheToleranceOfWorkingOnes) {
  const at::NoGradGuard guard;
  for (const bool images : {false, true}) {
    for (const ProductType type : kNarrowTypes) {
      for (const FormKind form : {FormKind::kResidual, FormKind::kMonotone}) {
        for (const SolverMethod method : {SolverMethod::kAnderson, SolverMethod::kBanach}) {
          SCOPED_TRACE(c10::str(enum_name(type), images, " ", enum_name(form), enum_name(method)));
          ContractiveBlockOptions options = narrow_options(form, type, images);
          options.tolerance = 1e-3;
          options.solver.method = method;
          const auto block = narrow_block(options), exact = exact_twin(*block);
          const at::Tensor z = narrow_events(*block, 4);
          const TransformOutput found = block->inverse(z);
          const at::Tensor truth = exact->inverse(z.to(at::kDouble)).value;
          const at::Tensor error =
              (found.value.to(at::kDouble) - truth).flatten(1).norm(2, at::IntArrayRef{1});
          EXPECT_TRUE(error.le(found.solve_error_bound.to(at::kDouble)).all().item<bool>());
          EXPECT_LE(largest(found.solve_error_bound), 1.001e-3);
        }
      }
    }
  }
}

/// Counts the rows that a net's maps are asked for.
class CountingNet final : public ContractiveNet {
 public:
  explicit CountingNet(ContractiveNetPtr inner) : inner_(std::move(inner)) {}
  int64_t dim() const override { return inner_->dim(); }
  double lipschitz() const override { return inner_->lipschitz(); }
  bool proven() const override { return inner_->proven(); }
  double reduced_roundoff(at::ScalarType type) const override {
    return inner_->reduced_roundoff(type);
  }
  NetMap map(const at::Tensor& condition) const override {
    return counted(inner_->map(condition), working);
  }
  NetMap reduced_map(const at::Tensor& condition) const override {
    return counted(inner_->reduced_map(condition), reduced);
  }
  std::unique_ptr<NetPoint> linearize(const at::Tensor& w, const at::Tensor& c) const override {
    return inner_->linearize(w, c);
  }
  void refresh(bool force) override { inner_->refresh(force); }

  mutable int64_t working = 0, reduced = 0;

 private:
  static NetMap counted(const NetMap& map, int64_t& rows_asked) {
    return [map, &rows_asked](const at::Tensor& w, const at::Tensor& rows) {
      rows_asked += w.size(0);
      return map(w, rows);
    };
  }
  ContractiveNetPtr inner_;
};

TEST(ReducedProducts, ASolveThatBeginsReducedSavesWorkingProducts) {
  const at::NoGradGuard guard;
  const auto rows_asked = [](ProductType type) {
    ContractiveBlockOptions options = narrow_options(FormKind::kMonotone, type, /*images=*/true);
    options.net.hidden = {6, 6};
    options.tolerance = 1e-3;
    const auto block = narrow_block(options);
    make_steep(*block);
    const auto counting = std::make_shared<CountingNet>(block->net());
    const ContractiveBlock counted(options, counting);
    counted.inverse(narrow_events(*block, 4), {.hints = {.wants_log_det = false}});
    return std::pair{counting->working, counting->reduced};
  };
  const auto [plain, none] = rows_asked(ProductType::kWorking);
  EXPECT_EQ(none, 0);
  for (const ProductType type : kNarrowTypes) {
    const auto [working, reduced] = rows_asked(type);
    EXPECT_LT(working, 0.8 * static_cast<double>(plain)) << plain << " " << reduced;
    EXPECT_GT(reduced, 0);
    EXPECT_LT(reduced, plain + kNarrowBatch);
  }
}

// What they would end at without: a solve by the reduced map alone, whose bound holds by the net's
// roundoff and not by that of float32.
TEST(ReducedProducts, ASolveByReducedProductsNeedsTheirRoundoff) {
  const at::NoGradGuard guard;
  for (const ProductType type : kNarrowTypes) {
    const auto block = narrow_block(narrow_options(FormKind::kResidual, type, /*images=*/true));
    const auto exact = exact_twin(*block);
    const at::Tensor z = narrow_events(*block, 4);
    const at::Tensor truth = exact->inverse(z.to(at::kDouble)).value.flatten(1),
                     rows = z.flatten(1);
    const NetMap g = block->net()->reduced_map({});
    const FixedPointMap map = [&](const at::Tensor& w, const at::Tensor& which) {
      return (which.defined() ? rows.index_select(0, which) : rows) - g(w, which);
    };
    const auto is_covered = [&](double roundoff) {
      const Solution s = solve_fixed_point(map, rows, block->net()->bound(), 1e-4, {}, roundoff);
      const at::Tensor error = (s.value.to(at::kDouble) - truth).norm(2, at::IntArrayRef{1});
      return error.le(s.report.error_bound.to(at::kDouble)).all().item<bool>();
    };
    EXPECT_TRUE(is_covered(block->net()->reduced_roundoff(at::kFloat)));
    EXPECT_FALSE(is_covered(0.0)) << "the test sees no rounding";
  }
}

std::vector<at::Tensor> loss_gradient(ContractiveBlock& block, const at::Tensor& x) {
  for (const at::Tensor& p : block.parameters()) p.mutable_grad().reset();
  const TransformOutput out = block.forward(x, {.rng = Rng(6), .phase = Phase::kTrain});
  (0.5 * out.value.square().flatten(1).sum(1) - out.log_det).mean().backward();
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& p : block.parameters()) gradients.push_back(p.grad().flatten());
  return gradients;
}

// A step's gradient, the solves and adjoint solves of a monotone block in it: off by about the roundoff.
TEST(ReducedProducts, GradientsOfAStepAreOffByTheRoundoff) {
  for (const FormKind form : {FormKind::kResidual, FormKind::kMonotone}) {
    for (const ProductType type : kNarrowTypes) {
      SCOPED_TRACE(c10::str(enum_name(form), " ", enum_name(type)));
      ContractiveBlockOptions options = narrow_options(form, type, /*images=*/true);
      options.backward_tolerance = 1e-4;
      const auto block = narrow_block(options);
      options.net.products = ProductType::kWorking;
      const auto plain = narrow_block(options);
      const at::Tensor x = narrow_events(*block, 5);
      const at::Tensor found = at::cat(loss_gradient(*block, x));
      const at::Tensor truth = at::cat(loss_gradient(*plain, x));
      const double error = ((found - truth).norm() / truth.norm()).item<double>();
      EXPECT_LT(error, 2 * unit_roundoff(type, at::kFloat));
      EXPECT_GT(error, 1e-6) << "the test sees no rounding";
      // Without a series nothing is rounded.
      options.train_log_det = ExactLogDet{};
      const auto plain_exact = narrow_block(options);
      options.net.products = type;
      const auto block_exact = narrow_block(options);
      const at::Tensor exact = at::cat(loss_gradient(*block_exact, x));
      const at::Tensor plain_gradient = at::cat(loss_gradient(*plain_exact, x));
      const bool explicit_form =
          form == FormKind::kResidual;  // no solve begins with reduced products
      EXPECT_TRUE(near(exact, plain_gradient, explicit_form ? 0.0 : 1e-4));
    }
  }
}

}  // namespace
}  // namespace contraflow
