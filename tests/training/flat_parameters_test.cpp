#include "contraflow/training/flat_parameters.h"

#include "tests/support/tensors.h"
#include "tests/training/training_support.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::small_flow;

struct Mixed : torch::nn::Module {
  Mixed() {
    a = register_parameter("a", at::arange(6, at::kFloat).view({2, 3}));
    b = register_parameter("b", at::ones({1}, at::kDouble));
    c = register_parameter("c", at::full({17}, 3.0, at::kFloat));
    frozen = register_parameter("frozen", at::ones({2}), false);
  }
  at::Tensor a, b, c, frozen;
};

TEST(FlatParameters, ViewsKeepNamesShapesAndValues) {
  Mixed module;
  const FlatParameters flat(module);
  ASSERT_EQ(flat.values().size(), 2U);  // float32 and float64
  ASSERT_EQ(flat.slots().size(), 3U);
  EXPECT_EQ(flat.count(), 24);
  EXPECT_EQ(flat.slots()[2].name, "c");
  EXPECT_TRUE(at::equal(module.a, at::arange(6, at::kFloat).view({2, 3})));
  EXPECT_TRUE(at::equal(flat.named(flat.values()).at("c"), module.c));
  EXPECT_EQ(flat.named(flat.values()).count("frozen"), 0U);
}

TEST(FlatParameters, EveryParameterStartsOnACacheLine) {
  Mixed module;
  const FlatParameters flat(module);
  for (const ParameterSlot& slot : flat.slots()) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(slot.parameter.const_data_ptr()) % 64, 0U) << slot.name;
  }
}

TEST(FlatParameters, WritesToTheBufferReachTheModuleAndGradientsReachTheBuffer) {
  Mixed module;
  FlatParameters flat(module);
  {
    const at::NoGradGuard no_grad;
    flat.values()[0].mul_(2.0);
  }
  EXPECT_EQ(module.c[0].item<float>(), 6.0F);
  flat.zero_gradients();
  for (int i = 0; i < 2; ++i) (module.a.sum() * 3.0 + module.b.sum()).backward();
  EXPECT_EQ(flat.named(flat.gradients()).at("a")[1][2].item<float>(), 6.0F);  // added up in place
  EXPECT_EQ(flat.gradients()[0].sum().item<float>(), 36.0F);
  EXPECT_EQ(flat.named(flat.gradients()).at("c").abs().max().item<float>(), 0.0F);
  EXPECT_NO_THROW(flat.require_current());
  flat.zero_gradients();
  EXPECT_EQ(module.b.grad().item<double>(), 0.0);
}

TEST(FlatParameters, ASharedParameterHasOneSlot) {
  Mixed module;
  module.register_parameter("alias", module.a);
  EXPECT_EQ(FlatParameters(module).slots().size(), 3U);
}

TEST(FlatParameters, ConversionIsNoticedAndABuildAnewWorks) {
  const FlowPtr flow = small_flow();
  const FlatParameters flat(*flow);
  flow->to(at::kDouble);
  const std::string text = error_of<ConfigError>([&] { flat.require_current(); });
  EXPECT_THAT(text, HasSubstr("transform.0.shift"));
  EXPECT_THAT(text, HasSubstr("build FlatParameters anew"));
  const FlatParameters again(*flow);
  EXPECT_EQ(again.values()[0].scalar_type(), at::kDouble);
  EXPECT_NO_THROW(again.require_current());
}

TEST(FlatParameters, AReplacedGradientIsNoticed) {
  const FlowPtr flow = small_flow();
  const FlatParameters flat(*flow);
  flow->zero_grad(/*set_to_none=*/true);
  error_of<ConfigError>([&] { flat.require_current(); });
}

TEST(FlatParameters, ModulesOutliveTheBuffers) {
  const FlowPtr flow = small_flow();
  {
    FlatParameters flat(*flow);
    flat.release_gradients();
  }
  EXPECT_EQ(flow->named_parameters()["transform.1.weight"].sum().item<float>(), 0.2F);
}

}  // namespace
}  // namespace contraflow
