// Products of reduced precision: what they compute, and what they say of their rounding.
#include "contraflow/networks/reduced_product.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contraflow/core/rng.h"
#include "contraflow/kernels/isa.h"
#include "contraflow/networks/conv_product.h"
#include "contraflow/networks/net_options.h"
#include "contraflow/networks/product.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::near;

constexpr ProductType kReducedTypes[] = {ProductType::kBFloat16, ProductType::kTf32};

at::Tensor normal32(uint64_t seed, at::IntArrayRef sizes) {
  return Rng(seed).normal(sizes, at::kFloat);
}

at::Tensor last_bits(const at::Tensor& t, int bits) {
  return t.view(at::kInt).bitwise_and((1 << bits) - 1);
}

TEST(ReducedProduct, FactorsHaveTheBitsOfTheirType) {
  const at::Tensor t = normal32(1, {4096}) * at::exp2(normal32(2, {4096}) * 20);
  const auto furthest = [&t](const at::Tensor& r) {
    return ((r - t).to(at::kDouble).abs() / t.abs()).max().item<double>();
  };
  const at::Tensor narrow = rounded(t, ProductType::kBFloat16);
  EXPECT_EQ(last_bits(narrow, 16).abs().max().item<int>(), 0);
  EXPECT_LE(furthest(narrow), 0x1p-8);
  EXPECT_GT(furthest(narrow), 0x1.8p-9);
  const at::Tensor tf32 = rounded(t, ProductType::kTf32);
  EXPECT_EQ(last_bits(tf32, 13).abs().max().item<int>(), 0);
  EXPECT_LE(furthest(tf32), 0x1p-11);
  EXPECT_GT(furthest(tf32), 0x1.8p-12);
  for (const ProductType type : kReducedTypes) {
    EXPECT_TRUE(at::equal(rounded(rounded(t, type), type), rounded(t, type)));
    EXPECT_LE(furthest(rounded(t, type)), unit_roundoff(type, at::kFloat));
  }
  EXPECT_TRUE(rounded(t, ProductType::kWorking).is_same(t));
}

// Products of rounded factors in float64, the definition: apart by the rounding of sums in float32
// and of results.
TEST(ReducedProduct, IsTheProductOfRoundedFactors) {
  const at::Tensor a = normal32(1, {37, 50}), b = normal32(2, {50, 23}), bias = normal32(3, {23});
  for (const ProductType type : kReducedTypes) {
    const at::Tensor exact = rounded(a, type).to(at::kDouble).mm(rounded(b, type).to(at::kDouble));
    const double result = type == ProductType::kBFloat16 ? 0x1p-8 : 0.0;
    for (const char* isa : {"best", "composed"}) {
      const kernels::ScopedIsa pin(isa == std::string("best") ? kernels::current_isa() : isa);
      EXPECT_TRUE(near(product(a, b, {}, type), exact, result + 1e-5));
      EXPECT_TRUE(near(product(a, b, bias, type), exact + bias, 3 * result + 1e-5));
      at::Tensor sum = product(a, b, {}, type);
      add_product(a, b, sum, type);
      EXPECT_TRUE(near(sum, 2 * exact, result + 1e-5));
      const at::Tensor into = at::empty({37, 23});
      product_into(a, b, bias, into, type);
      EXPECT_TRUE(at::equal(into, product(a, b, bias, type)));
    }
    EXPECT_FALSE(near(product(a, b), exact, 1e-5)) << "the test sees no rounding";
  }
}

// What a processor with instructions computes, here without: numbers apart by one rounding of a sum
// that lies between two of bfloat16.
TEST(ReducedProduct, BFloat16IsThatOfLibTorch) {
  const at::Tensor a = normal32(1, {33, 40}), b = normal32(2, {40, 17});
  const at::Tensor theirs = a.to(at::kBFloat16).mm(b.to(at::kBFloat16)).to(at::kFloat);
  const at::Tensor ours = product(a, b, {}, ProductType::kBFloat16);
  EXPECT_TRUE(near(ours, theirs, 0x1p-7));
  EXPECT_GT(ours.eq(theirs).to(at::kFloat).mean().item<double>(), 0.98);
}

TEST(ReducedProduct, ConvolutionsAreThoseOfRoundedFactors) {
  for (const auto& [inputs, outputs] : {std::pair{3, 8}, std::pair{8, 3}}) {
    const at::Tensor a = normal32(1, {3, 5, 4, inputs}), u = normal32(2, {3, 5, 4, outputs});
    const at::Tensor weight = normal32(3, {outputs, inputs, 3, 3});
    for (const ProductType type : kReducedTypes) {
      const auto wide = [type](const at::Tensor& t) { return rounded(t, type).to(at::kDouble); };
      const double error = type == ProductType::kBFloat16 ? 9 * 0x1p-8 : 1e-5;  // tap by tap
      for (const ConvPadding padding : {ConvPadding::kZero, ConvPadding::kCircular}) {
        EXPECT_TRUE(near(convolve(a, weight, {}, padding, type),
                         convolve(wide(a), wide(weight), {}, padding), error));
        EXPECT_TRUE(near(convolve_transposed(u, weight, padding, type),
                         convolve_transposed(wide(u), wide(weight), padding), error));
        EXPECT_TRUE(near(convolve_weight_gradient(u, a, weight, padding, type),
                         convolve_weight_gradient(wide(u), wide(a), wide(weight), padding), error));
      }
      EXPECT_FALSE(near(convolve(a, weight, {}, ConvPadding::kZero),
                        convolve(wide(a), wide(weight), {}, ConvPadding::kZero), 1e-5));
    }
  }
}

TEST(ReducedProduct, Tf32IsAllowedWithinAScope) {
  at::Context& context = at::globalContext();
  const auto state = [&context] {
    return std::pair{context.allowTF32CuBLAS(), context.allowTF32CuDNN(at::Float32Op::CONV)};
  };
  const auto before = state();
  {
    const AllowTf32 scope;
    EXPECT_EQ(state(), std::pair(true, true));
  }
  EXPECT_EQ(state(), before);
}

struct ReducedNet {
  const char* name;
  EventShape event;
  NetOptions options;
};

std::vector<ReducedNet> reduced_nets() {
  const NetOptions wide{.kind = NetKind::kSequential,
                        .hidden = {24, 24},
                        .activation = Activation::kLipSwish,
                        .activate_input = true,
                        .init_gain = 3.0};
  NetOptions conv = wide, dense_conv{.depth = 2, .growth = 8, .stem = 3, .init_gain = 3.0};
  conv.kernels = {3, 1, 3};
  dense_conv.kernels = {3, 3, 1, 3};
  dense_conv.padding = ConvPadding::kCircular;
  return {{"rows", 5, wide},
          {"dense_rows", 4, {.depth = 2, .growth = 8, .init_gain = 3.0}},
          {"images", {2, 5, 4}, conv},
          {"dense_images", {2, 4, 5}, dense_conv}};
}

ContractiveNetPtr reduced_net(const ReducedNet& of, ProductType type) {
  NetOptions options = of.options;
  options.products = type;
  const ContractiveNetPtr net = make_net(of.event, 0, options, Rng(5));
  net->refresh(true);
  return net;
}

at::Tensor row_errors(const at::Tensor& a, const at::Tensor& b, const at::Tensor& of) {
  const auto size = [](const at::Tensor& t) { return t.norm(2, at::IntArrayRef{-1}); };
  return size((a - b).to(at::kDouble)) / size(of.to(at::kDouble));
}

// Of a pass with products of both kinds: below the bound, and above what float32's roundoff would make
// of it.
TEST(ReducedNets, ErrorsOfPassesAreBounded) {
  const at::NoGradGuard guard;
  constexpr int64_t kRows = 40;
  for (const ReducedNet& of : reduced_nets()) {
    for (const ProductType type : kReducedTypes) {
      SCOPED_TRACE(c10::str(of.name, " ", enum_name(type)));
      const ContractiveNetPtr net = reduced_net(of, type);
      const int64_t d = net->dim();
      const auto point = net->linearize(normal32(6, {kRows, d}), {});
      const auto reduced = point->reduced();
      ASSERT_NE(reduced, nullptr);
      EXPECT_FALSE(point->product_error().defined());
      const double bound = reduced->product_error().item<double>();
      const double as_float32 = bound * unit_roundoff(at::kFloat) / unit_roundoff(type, at::kFloat);
      const at::Tensor t = normal32(7, {2, kRows, d});
      for (const bool forward : {true, false}) {
        const auto pass = [&](const NetPoint& p) { return forward ? p.jvp(t) : p.vjp(t); };
        const double error = row_errors(pass(*reduced), pass(*point), t).max().item<double>();
        EXPECT_LE(error, bound);
        EXPECT_GT(error, 4 * as_float32);
        EXPECT_GT(error, 5e-4 * bound) << "a bound that says nothing";
      }
      // Of parts and of chosen rows: the same numbers.
      const at::Tensor rows = at::arange(kRows - 1, -1, -1, at::kLong);
      EXPECT_TRUE(at::equal(reduced->select(rows)->vjp(t.index_select(1, rows)),
                            reduced->vjp(t).index_select(1, rows)));
      EXPECT_TRUE(
          at::equal(reduced->narrow(3)->vjp(t.narrow(1, 0, 3)), reduced->vjp(t).narrow(1, 0, 3)));
    }
  }
}

TEST(ReducedNets, SayTheirRoundoffAndKeepTheValue) {
  const at::NoGradGuard guard;
  for (const ReducedNet& of : reduced_nets()) {
    const ContractiveNetPtr plain = reduced_net(of, ProductType::kWorking);
    EXPECT_FALSE(plain->has_reduced_products(at::kFloat));
    EXPECT_EQ(plain->reduced_roundoff(at::kFloat), 0x1p-24);
    const at::Tensor w = normal32(8, {6, plain->dim()});
    EXPECT_EQ(plain->linearize(w, {})->reduced(), nullptr);
    for (const ProductType type : kReducedTypes) {
      const ContractiveNetPtr net = reduced_net(of, type);
      EXPECT_TRUE(net->has_reduced_products(at::kFloat));
      EXPECT_FALSE(net->has_reduced_products(at::kDouble));
      EXPECT_EQ(net->unit_roundoff(at::kFloat), 0x1p-24);
      EXPECT_EQ(net->reduced_roundoff(at::kFloat), unit_roundoff(type, at::kFloat));
      const auto point = net->linearize(w, {});
      EXPECT_EQ(point->unit_roundoff(), 0x1p-24);
      EXPECT_EQ(point->reduced()->unit_roundoff(), unit_roundoff(type, at::kFloat));
      const auto plain_point = plain->linearize(w, {});
      EXPECT_TRUE(at::equal(point->value(), plain_point->value()));
      EXPECT_TRUE(at::equal(point->reduced()->value(), plain_point->value()));
      const at::Tensor u = w.unsqueeze(0);
      EXPECT_TRUE(at::equal(point->jvp(u), plain_point->jvp(u)));
      EXPECT_TRUE(at::equal(net->map({})(w, {}), plain->map({})(w, {})));
      EXPECT_FALSE(at::equal(net->reduced_map({})(w, {}), plain->map({})(w, {})));
    }
  }
}

// The part of the reverse that belongs to values takes working products, the tangents' reduced ones.
TEST(ReducedNets, OnlyTangentsOfAReversePassAreReduced) {
  const at::NoGradGuard guard;
  for (const ReducedNet& of : reduced_nets()) {
    const ContractiveNetPtr plain = reduced_net(of, ProductType::kWorking);
    const ContractiveNetPtr net = reduced_net(of, ProductType::kBFloat16);
    const at::Tensor w = normal32(8, {6, net->dim()}), g = normal32(9, {6, net->dim()});
    const at::Tensor t = normal32(10, {1, 6, net->dim()}), u = normal32(11, {1, 6, net->dim()});
    const auto gradients = [&](const ContractiveNetPtr& n, bool reduced, bool tangents) {
      const auto point = n->linearize(w, {});
      const auto narrow = point->reduced();
      const NetGradients out =
          (reduced ? *narrow : *point)
              .gradients(g, tangents ? u : at::Tensor(), tangents ? t : at::Tensor());
      std::vector<at::Tensor> flat{out.w.flatten()};
      for (const at::Tensor& p : out.parameters) flat.push_back(p.flatten());
      return at::cat(flat);
    };
    SCOPED_TRACE(of.name);
    EXPECT_TRUE(at::equal(gradients(net, true, false), gradients(plain, false, false)));
    EXPECT_TRUE(at::equal(gradients(net, false, true), gradients(plain, false, true)));
    const at::Tensor off = gradients(net, true, true), exact = gradients(plain, false, true);
    const double error = ((off - exact).norm() / exact.norm()).item<double>();
    EXPECT_LT(error, 0x1p-6);
    EXPECT_GT(error, 1e-5);
  }
}

TEST(ReducedNets, InFloat64ProductsAreWorkingOnes) {
  const at::NoGradGuard guard;
  for (const ReducedNet& of : reduced_nets()) {
    const ContractiveNetPtr net = reduced_net(of, ProductType::kBFloat16);
    net->to(at::kDouble);
    EXPECT_EQ(net->reduced_roundoff(at::kDouble), 0x1p-53);
    const at::Tensor w = Rng(8).normal({3, net->dim()}, at::kDouble);
    EXPECT_EQ(net->linearize(w, {})->reduced(), nullptr);
    EXPECT_TRUE(at::equal(net->reduced_map({})(w, {}), net->map({})(w, {})));
  }
}

TEST(ReducedNets, RefuseOtherNorms) {
  NetOptions options = reduced_nets()[0].options;
  options.norm_order = NormOrder::kInfinity;
  options.products = ProductType::kTf32;
  EXPECT_THAT(error_of<ConfigError>([&] { validate(options); }),
              HasSubstr("'two' with products of reduced precision"));
}

}  // namespace
}  // namespace contraflow
