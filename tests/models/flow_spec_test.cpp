#include "contraflow/distributions/flow_spec.h"

#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;
using testing::error_of;
using ::testing::HasSubstr;

FlowSpec digits_like() {
  return {chain_spec(Json::array({{{"type", "dequantize"}, {"event", 4}, {"levels", {17}}},
                                  {{"type", "logit"}, {"event", 4}},
                                  {{"type", "actnorm"}, {"event", 4}}})),
          Json{{"type", "normal_mixture"}, {"event", 4}}};
}

TEST(FlowSpec, BuildsWhatItSays) {
  const FlowPtr flow = build_flow(digits_like());
  EXPECT_EQ(flow->event_shape(), std::vector<int64_t>{4});
  const at::Tensor x = (Rng(1).uniform({50, 4}, at::kFloat) * 17).floor();
  flow->prepare(x);
  EXPECT_TRUE(at::isfinite(flow->log_prob(x)).all().item<bool>());
  const at::Tensor sample = flow->sample(20);
  EXPECT_TRUE(at::equal(sample, sample.round()));
  EXPECT_LE(sample.max().item<float>(), 16.0F);
}

TEST(FlowSpec, ResolvedSpecBuildsTheSameFlow) {
  const FlowSpec resolved = resolve_flow_spec(digits_like());
  EXPECT_EQ(resolved.transform["transforms"][1]["alpha"], 0.05);
  EXPECT_EQ(resolved.base["components"], 8);
  EXPECT_EQ(options_to_json(resolve_flow_spec(resolved)), options_to_json(resolved));
  const at::Tensor x = at::full({3, 4}, 5.0F);
  const Context context{{}, Rng(2)};
  EXPECT_TRUE(at::equal(build_flow(resolved)->log_prob(x, context),
                        build_flow(digits_like())->log_prob(x, context)));
}

TEST(FlowSpec, MistakesSayWhere) {
  FlowSpec spec = digits_like();
  spec.transform["transforms"][1]["alhpa"] = 0.1;
  EXPECT_THAT(error_of<ConfigError>([&] { build_flow(spec); }),
              ::testing::AllOf(HasSubstr("flow transforms[1]"), HasSubstr("alpha")));
  spec = digits_like();
  spec.base = {{"type", "normal"}, {"event", 5}};
  EXPECT_THAT(error_of<ConfigError>([&] { build_flow(spec); }), HasSubstr("got [5]"));
  spec.base = Json::object();
  EXPECT_THAT(error_of<ConfigError>([&] { build_flow(spec); }), HasSubstr("[flow base] type"));
}

}  // namespace
}  // namespace contraflow
