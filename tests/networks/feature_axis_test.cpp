// Layers on grids [b, height, width, features]: each position by itself, as rows are.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <functional>

#include "contraflow/core/rng.h"
#include "contraflow/networks/activation_layer.h"
#include "contraflow/networks/dense_concat.h"
#include "contraflow/networks/lipschitz_linear.h"
#include "contraflow/networks/sequential.h"
#include "contraflow/networks/sort_layer.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::near;

constexpr double kGridError = 1e-13;
constexpr int64_t kGridBatch = 3, kGridHeight = 2, kGridWidth = 5, kIn = 4, kGridProbes = 2;

LayerPtr grid_linear(int64_t inputs, int64_t outputs, double cap, int64_t condition = 0) {
  const auto layer = std::make_shared<LipschitzLinear>(LipschitzLinearOptions{
      .inputs = inputs, .outputs = outputs, .cap = cap, .condition = condition});
  layer->initialise(Rng(1), 2.0);
  return layer;
}

struct GridCase {
  std::string name;
  std::function<LayerPtr()> make;
  int64_t condition = 0;
};

std::vector<GridCase> grid_cases() {
  const auto activation = [](Activation kind) {
    return [kind]() -> LayerPtr { return std::make_shared<ActivationLayer>(kind, kIn); };
  };
  const auto sorting = [](Activation kind) {
    return [kind]() -> LayerPtr { return std::make_shared<SortLayer>(kind, kIn); };
  };
  return {{"linear", [] { return grid_linear(kIn, 6, 0.5); }},
          {"linear_below_its_cap", [] { return grid_linear(kIn, 6, 100.0); }},
          {"conditional", [] { return grid_linear(kIn, 6, 0.5, 2); }, 2},
          {"swish", activation(Activation::kSwish)},
          {"clipswish", activation(Activation::kClipSwish)},
          {"maxmin", sorting(Activation::kMaxMin)},
          {"fullsort", sorting(Activation::kFullSort)},
          {"dense",
           []() -> LayerPtr {
             const LayerPtr inner = std::make_shared<Sequential>(std::vector<LayerPtr>{
                 grid_linear(kIn, 3, 1.0, 2),
                 std::make_shared<ActivationLayer>(Activation::kClipSwish, 3)});
             const LayerPtr concat = std::make_shared<DenseConcat>(inner, /*learnable=*/true);
             return std::make_shared<Sequential>(
                 std::vector<LayerPtr>{concat, grid_linear(concat->outputs(), kIn, 0.9)});
           },
           2}};
}

class FeatureAxis : public ::testing::TestWithParam<GridCase> {
 protected:
  FeatureAxis() : layer_(GetParam().make()) {
    layer_->to(at::kDouble);
    if (GetParam().condition > 0)
      condition_ = Rng(2).normal({kGridBatch, GetParam().condition}, at::kDouble);
  }

  static at::Tensor grid(uint64_t seed, int64_t features) {
    return Rng(seed).normal({kGridBatch, kGridHeight, kGridWidth, features}, at::kDouble);
  }
  static at::Tensor probes(uint64_t seed, int64_t features) {
    return Rng(seed).normal({kGridProbes, kGridBatch, kGridHeight, kGridWidth, features},
                            at::kDouble);
  }
  // The same numbers as a batch of rows.
  static at::Tensor rows(const at::Tensor& of) { return of.flatten(0, -2); }
  static at::Tensor probe_rows(const at::Tensor& of) { return of.flatten(1, -2); }
  at::Tensor row_condition() const {
    if (!condition_.defined()) return condition_;
    return condition_.repeat_interleave(kGridHeight * kGridWidth, 0);
  }

  LayerPtr layer_;
  at::Tensor condition_;
};

TEST_P(FeatureAxis, AGridIsItsPositionsAsRows) {
  const at::NoGradGuard guard;
  Tape of_grid, of_rows;
  layer_->bind(of_grid, condition_);
  layer_->bind(of_rows, row_condition());
  const at::Tensor a = grid(3, kIn), t = probes(4, kIn);
  const at::Tensor g = grid(5, layer_->outputs()), u = probes(6, layer_->outputs());
  EXPECT_TRUE(near(rows(layer_->value(of_grid, a)), layer_->value(of_rows, rows(a)), kGridError));
  EXPECT_EQ(layer_->value(of_grid, a).dim(), 4);
  EXPECT_TRUE(near(rows(layer_->record(of_grid, a)), layer_->record(of_rows, rows(a)), kGridError));
  EXPECT_TRUE(near(probe_rows(layer_->jvp(of_grid, t, true)),
                   layer_->jvp(of_rows, probe_rows(t), true), kGridError));
  EXPECT_TRUE(
      near(probe_rows(layer_->vjp(of_grid, u)), layer_->vjp(of_rows, probe_rows(u)), kGridError));
  GradientMap grid_map, row_map;
  at::Tensor grid_condition, each_condition;
  const Dual down = layer_->dual_reverse(of_grid, {g, u}, grid_map, grid_condition);
  const Dual below =
      layer_->dual_reverse(of_rows, {rows(g), probe_rows(u)}, row_map, each_condition);
  EXPECT_TRUE(near(rows(down.value), below.value, kGridError));
  EXPECT_TRUE(near(probe_rows(down.tangent), below.tangent, kGridError));
  const auto parameters = layer_->parameters();
  const auto ours = grid_map.in_order(parameters), expected = row_map.in_order(parameters);
  for (size_t k = 0; k < parameters.size(); ++k)
    EXPECT_TRUE(near(ours[k], expected[k], kGridError)) << k;
  ASSERT_EQ(grid_condition.defined(), condition_.defined());
  if (condition_.defined()) {
    EXPECT_TRUE(near(grid_condition,
                     each_condition.view({kGridBatch, kGridHeight * kGridWidth, -1}).sum(1),
                     kGridError));
  }
}

TEST_P(FeatureAxis, RowsOfAGridAreSelectedByEvent) {
  const at::NoGradGuard guard;
  Tape tape;
  layer_->bind(tape, condition_);
  const at::Tensor a = grid(3, kIn), u = probes(6, layer_->outputs());
  const at::Tensor value = layer_->record(tape, a), back = layer_->vjp(tape, u);
  const at::Tensor chosen = at::tensor({2, 0}, at::kLong);
  const Tape selected = tape.select(chosen), first = tape.narrow(2);
  const auto pick = [&](const at::Tensor& t, int64_t axis) { return t.index_select(axis, chosen); };
  EXPECT_TRUE(near(layer_->value(selected, pick(a, 0)), pick(value, 0), kGridError));
  EXPECT_TRUE(near(layer_->vjp(selected, pick(u, 1)), pick(back, 1), kGridError));
  EXPECT_TRUE(near(layer_->value(first, a.narrow(0, 0, 2)), value.narrow(0, 0, 2), kGridError));
  EXPECT_TRUE(near(layer_->vjp(first, u.narrow(1, 0, 2)), back.narrow(1, 0, 2), kGridError));
}

INSTANTIATE_TEST_SUITE_P(Layers, FeatureAxis, ::testing::ValuesIn(grid_cases()),
                         [](const auto& test) { return test.param.name; });

// The 1x1 convolution by LibTorch, whose parameter gradients autograd takes.
TEST(LipschitzLinear, OnAGridIsTheOneByOneConvolution) {
  const LayerPtr layer = grid_linear(kIn, 6, 100.0, 2);  // the cap does not bind
  layer->to(at::kDouble);
  auto named = layer->named_parameters();
  const at::Tensor w = named["weight"], b = named["bias"], v = named["condition_weight"];
  const at::Tensor a = Rng(3).normal({kGridBatch, kGridHeight, kGridWidth, kIn}, at::kDouble);
  const at::Tensor t =
      Rng(4).normal({kGridProbes, kGridBatch, kGridHeight, kGridWidth, kIn}, at::kDouble);
  const at::Tensor g = Rng(5).normal({kGridBatch, kGridHeight, kGridWidth, 6}, at::kDouble);
  const at::Tensor u =
      Rng(6).normal({kGridProbes, kGridBatch, kGridHeight, kGridWidth, 6}, at::kDouble);
  const at::Tensor h = Rng(7).normal({kGridBatch, 2}, at::kDouble);

  const auto convolve = [&](const at::Tensor& x) {
    return at::conv2d(x.permute({0, 3, 1, 2}), w.view({6, kIn, 1, 1})).permute({0, 2, 3, 1});
  };
  const at::Tensor value = convolve(a) + b + h.mm(v.t()).view({kGridBatch, 1, 1, 6});
  const at::Tensor tangent = convolve(t.flatten(0, 1)).view(u.sizes());
  ((value * g).sum() + (tangent * u).sum()).backward();

  const at::NoGradGuard guard;
  Tape tape;
  layer->bind(tape, h);
  EXPECT_TRUE(near(layer->record(tape, a), value, kGridError));
  EXPECT_TRUE(near(layer->jvp(tape, t, true), tangent, kGridError));
  GradientMap map;
  at::Tensor condition_gradient;
  layer->dual_reverse(tape, {g, u}, map, condition_gradient);
  const std::vector<at::Tensor> found = map.in_order({w, b, v});
  EXPECT_TRUE(near(found[0], w.grad(), 1e-12));
  EXPECT_TRUE(near(found[1], b.grad(), 1e-12));
  EXPECT_TRUE(near(found[2], v.grad(), 1e-12));
}

}  // namespace
}  // namespace contraflow
