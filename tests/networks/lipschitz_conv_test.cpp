// Convolution layers against their explicit matrix and against autograd.
#include "contraflow/networks/lipschitz_conv.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/rng.h"
#include "tests/networks/dense_conv.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::convolution_norm;
using testing::dense_convolution;
using testing::error_of;
using ::testing::HasSubstr;
using testing::near;

constexpr double kConvError = 1e-12;
constexpr int64_t kConvProbes = 2;

struct ConvCase {
  std::string name;
  LipschitzConvOptions options;
  int64_t batch = 3;
};

std::vector<ConvCase> conv_cases() {
  std::vector<ConvCase> out;
  for (const auto& [name, padding] : enum_names(ConvPadding{})) {
    const auto add = [&, name = name](const char* what, int64_t inputs, int64_t outputs,
                                      int64_t kernel, int64_t height, int64_t width, double cap,
                                      int64_t condition = 0, int64_t batch = 3) {
      out.push_back({c10::str(name, "_", what),
                     {.inputs = inputs,
                      .outputs = outputs,
                      .kernel = kernel,
                      .grid = {height, width, padding},
                      .cap = cap,
                      .norm_tolerance = 1e-9,
                      .condition = condition},
                     batch});
    };
    add("widens", 2, 5, 3, 4, 6, 0.5);
    add("narrows", 5, 2, 3, 5, 4, 0.5, 3);
    add("below_its_cap", 3, 3, 3, 4, 4, 1e3, 2);
    add("five", 2, 3, 5, 6, 5, 0.7);
    add("one_by_one", 3, 4, 1, 3, 4, 0.7, 2);
    add("one_event", 2, 3, 3, 3, 3, 0.7, 2, 1);
    add("one_row", 3, 2, 3, 1, 7, 0.7);
    add("one_pixel", 2, 3, 3, 1, 1, 0.7);
    add("wider_than_the_grid", 2, 2, 5, 2, 3, 0.7, 2);
  }
  return out;
}

class ConvLayer : public ::testing::TestWithParam<ConvCase> {
 protected:
  ConvLayer() : layer_(options()) {
    layer_.to(at::kDouble);
    layer_.initialise(Rng(1), 3.0);
    if (options().condition > 0) condition_ = draw(9, {GetParam().batch, options().condition});
  }

  static const LipschitzConvOptions& options() { return GetParam().options; }
  static at::Tensor draw(uint64_t seed, at::IntArrayRef sizes) {
    return Rng(seed).normal(sizes, at::kDouble);
  }
  static at::Tensor grid(uint64_t seed, int64_t channels) {
    return draw(seed, {GetParam().batch, options().grid.height, options().grid.width, channels});
  }
  static at::Tensor probes(uint64_t seed, int64_t channels) {
    return draw(seed, {kConvProbes, GetParam().batch, options().grid.height, options().grid.width,
                       channels});
  }
  at::Tensor parameter(const char* name) const {
    const auto named = layer_.named_parameters();
    return named.contains(name) ? named[name] : at::Tensor();
  }
  // The layer's product from its matrix, for grids with any axes in front.
  at::Tensor product(const at::Tensor& a, bool transposed = false) const {
    const at::Tensor m = dense_convolution(layer_.effective_weight(), options().grid);
    const at::Tensor out = a.flatten(-3).matmul(transposed ? m : m.t());
    std::vector<int64_t> sizes = a.sizes().vec();
    sizes.back() = transposed ? options().inputs : options().outputs;
    return out.view(sizes);
  }
  at::Tensor shift() const {
    at::Tensor out = parameter("bias").detach();
    if (!condition_.defined()) return out;
    out = out + condition_.mm(parameter("condition_weight").detach().t());
    return out.view({GetParam().batch, 1, 1, options().outputs});
  }

  LipschitzConv layer_;
  at::Tensor condition_;
};

TEST_P(ConvLayer, ProductsAreThoseOfItsMatrix) {
  const at::NoGradGuard guard;
  Tape tape;
  layer_.bind(tape, condition_);
  const at::Tensor a = grid(3, options().inputs), t = probes(4, options().inputs);
  const at::Tensor u = probes(6, options().outputs);
  EXPECT_TRUE(near(layer_.value(tape, a), product(a) + shift(), kConvError));
  EXPECT_TRUE(near(layer_.record(tape, a), product(a) + shift(), kConvError));
  EXPECT_TRUE(near(layer_.jvp(tape, t, true), product(t), kConvError));
  EXPECT_TRUE(near(layer_.vjp(tape, u), product(u, true), kConvError));
  EXPECT_TRUE(layer_.value(tape, a).is_contiguous());
  EXPECT_EQ(layer_.receptive_radius(), (options().kernel - 1) / 2);
}

TEST_P(ConvLayer, RowsOfABatchAreIndependent) {
  const at::NoGradGuard guard;
  Tape tape;
  layer_.bind(tape, condition_);
  const at::Tensor a = grid(3, options().inputs), u = probes(6, options().outputs);
  const at::Tensor value = layer_.record(tape, a), back = layer_.vjp(tape, u);
  const at::Tensor last = at::tensor({GetParam().batch - 1}, at::kLong);
  EXPECT_TRUE(near(layer_.value(tape.select(last), a.index_select(0, last)),
                   value.index_select(0, last), kConvError));
  EXPECT_TRUE(
      near(layer_.vjp(tape.narrow(1), u.narrow(1, 0, 1)), back.narrow(1, 0, 1), kConvError));
}

TEST_P(ConvLayer, TheEffectiveConvolutionStaysBelowItsBound) {
  const double norm = convolution_norm(layer_.effective_weight(), options().grid);
  EXPECT_LE(norm, layer_.lipschitz() * (1 + 1e-12));
  EXPECT_LE(layer_.lipschitz(), options().cap);
  EXPECT_GE(layer_.euclidean_proof(), norm * (1 - 1e-12));
  EXPECT_LE(layer_.euclidean_proof(), layer_.lipschitz() * (1 + 1e-5));
  std::vector<LayerBound> lines;
  layer_.append_bounds("conv", lines);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].proven);
  EXPECT_LE(lines[0].lower, norm * (1 + 1e-12));
  EXPECT_EQ(layer_.curvature(), 0.0);
}

// L = g . z + sum_p u_p . J t_p by autograd, at the layer's own scale and slope of the bound.
TEST_P(ConvLayer, DualReverseGivesAutogradsGradients) {
  const at::Tensor a = grid(3, options().inputs), t = probes(4, options().inputs);
  const at::Tensor g = grid(5, options().outputs), u = probes(6, options().outputs);
  Tape tape;
  GradientMap map;
  at::Tensor by_condition;
  Dual down;
  {
    const at::NoGradGuard guard;
    layer_.bind(tape, condition_);
    layer_.record(tape, a);
    layer_.jvp(tape, t, true);
    down = layer_.dual_reverse(tape, {g, u}, map, by_condition);
  }
  EXPECT_TRUE(near(down.value, product(g, true), kConvError));
  EXPECT_TRUE(near(down.tangent, product(u, true), kConvError));

  // One gradient by the effective weight, of a definition written with autograd.
  at::Tensor effective = layer_.effective_weight().clone().requires_grad_();
  at::Tensor bias = parameter("bias").detach().clone().requires_grad_();
  at::Tensor v, h;
  const auto convolved = [&](const at::Tensor& x) {
    const int64_t r = (options().kernel - 1) / 2;
    at::Tensor first = x.permute({0, 3, 1, 2});
    if (options().grid.padding == ConvPadding::kZero)
      return at::conv2d(first, effective, {}, 1, r).permute({0, 2, 3, 1});
    for (const int64_t axis : {2, 3}) {
      const int64_t n = first.size(axis);
      std::vector<at::Tensor> lines;
      for (int64_t k = -r; k < n + r; ++k) lines.push_back(first.select(axis, ((k % n) + n) % n));
      first = at::stack(lines, axis);
    }
    return at::conv2d(first, effective).permute({0, 2, 3, 1});
  };
  at::Tensor value = convolved(a) + bias;
  if (condition_.defined()) {
    v = parameter("condition_weight").detach().clone().requires_grad_();
    h = condition_.clone().requires_grad_();
    value = value + h.mm(v.t()).view({GetParam().batch, 1, 1, -1});
  }
  ((g * value).sum() + (u.flatten(0, 1) * convolved(t.flatten(0, 1))).sum()).backward();
  EXPECT_TRUE(near(map.in_order({parameter("bias")})[0], bias.grad(), kConvError));
  if (condition_.defined()) {
    EXPECT_TRUE(near(map.in_order({parameter("condition_weight")})[0], v.grad(), kConvError));
    EXPECT_TRUE(near(by_condition, h.grad(), kConvError));
  }
  const at::Tensor by_weight = map.in_order({parameter("weight")})[0];
  const double s = layer_.scale();
  if (s == 1.0) {
    EXPECT_TRUE(near(by_weight, effective.grad(), kConvError));
    return;
  }
  // Through s = c / bound: moving the weight along itself changes nothing, and differences see the
  // rest.
  const at::NoGradGuard guard;
  at::Tensor raw = parameter("weight");
  EXPECT_NEAR((by_weight * raw).sum().item<double>(), 0.0,
              1e-7 * by_weight.norm().item<double>() * raw.norm().item<double>());
  const auto loss = [&] {
    layer_.refresh(true);
    return (layer_.effective_weight() * effective.grad()).sum().item<double>();
  };
  constexpr double kWeightStep = 1e-5;
  const at::Tensor direction = draw(12, raw.sizes());
  const at::Tensor kept = raw.clone();
  raw.copy_(kept + kWeightStep * direction);
  const double above = loss();
  raw.copy_(kept - kWeightStep * direction);
  const double below = loss();
  raw.copy_(kept);
  const double along = (by_weight * direction).sum().item<double>();
  EXPECT_NEAR(along, (above - below) / (2 * kWeightStep), 1e-5 * (1 + std::abs(along)));
}

TEST_P(ConvLayer, Float32IsFloat64Rounded) {
  const at::NoGradGuard guard;
  Tape exact, rounded;
  layer_.to(at::kFloat);
  layer_.to(at::kDouble);  // the weights are float32 numbers
  layer_.bind(exact, condition_);
  const at::Tensor a = grid(3, options().inputs).to(at::kFloat);
  const at::Tensor g = grid(5, options().outputs).to(at::kFloat);
  const at::Tensor expected = layer_.record(exact, a.to(at::kDouble));
  GradientMap exact_map, rounded_map;
  at::Tensor ignored, also_ignored;
  const Dual down = layer_.dual_reverse(exact, {g.to(at::kDouble), {}}, exact_map, ignored);
  const at::Tensor by_weight = exact_map.in_order({layer_.weight()})[0];
  layer_.to(at::kFloat);
  layer_.bind(rounded, condition_.defined() ? condition_.to(at::kFloat) : condition_);
  const at::Tensor value = layer_.record(rounded, a);
  const Dual down32 = layer_.dual_reverse(rounded, {g, {}}, rounded_map, also_ignored);
  EXPECT_EQ(value.scalar_type(), at::kFloat);
  EXPECT_TRUE(near(value, expected, 1e-5));
  EXPECT_TRUE(near(down32.value, down.value, 1e-5));
  EXPECT_TRUE(near(rounded_map.in_order({layer_.weight()})[0], by_weight, 1e-4));
  for (const at::Tensor& buffer : layer_.buffers()) EXPECT_EQ(buffer.scalar_type(), at::kDouble);
}

INSTANTIATE_TEST_SUITE_P(Layers, ConvLayer, ::testing::ValuesIn(conv_cases()),
                         [](const auto& test) { return test.param.name; });

TEST(LipschitzConv, DriftKeepsTheBoundValidBetweenRefreshes) {
  for (const ConvPadding padding : {ConvPadding::kZero, ConvPadding::kCircular}) {
    const ConvGrid grid{5, 4, padding};
    LipschitzConv layer({.inputs = 3, .outputs = 4, .grid = grid, .cap = 0.9, .refresh_every = 10});
    layer.initialise(Rng(1), 3.0);
    at::Tensor weight = layer.named_parameters()["weight"];
    for (uint64_t step = 0; step < 25; ++step) {
      {
        const at::NoGradGuard guard;
        weight.add_(Rng(2).fork(step).normal(weight.sizes(), at::kFloat), 3e-3);
      }
      layer.refresh(false);
      const double norm = convolution_norm(weight, grid);
      EXPECT_GE(layer.bounds().upper, norm) << step;
      EXPECT_LE(layer.bounds().lower, norm) << step;
      EXPECT_LE(convolution_norm(layer.effective_weight(), grid), 0.9) << step;
    }
  }
}

TEST(LipschitzConv, WrongOptionsAreNamed) {
  const auto text = [](LipschitzConvOptions options) {
    return error_of<ConfigError>([&] { LipschitzConv layer(options); });
  };
  EXPECT_EQ(text({.inputs = 2, .outputs = 2, .kernel = 2, .grid = {4, 4}}),
            "[LipschitzConv] kernel: expected an odd side of at least 1, got 2. Use 1, 3 or 5: an "
            "even kernel has no middle.");
  EXPECT_THAT(text({.inputs = 2, .outputs = 0, .grid = {4, 4}}),
              HasSubstr("got 2 to 0 channels on 4 x 4 pixels"));
  EXPECT_THAT(text({.inputs = 2, .outputs = 2, .grid = {0, 4}}), HasSubstr("0 x 4 pixels"));
}

}  // namespace
}  // namespace contraflow
