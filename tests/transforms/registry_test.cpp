#include "contraflow/transforms/registry.h"

#include <set>

#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;
using testing::error_of;
using ::testing::HasSubstr;

TEST(TransformRegistry, NamesAreUniqueAndSampled) {
  std::set<std::string> names;
  for (const TransformEntry& entry : transform_registry()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_FALSE(entry.samples.empty()) << entry.name;
  }
}

TEST(TransformRegistry, UnknownTypeOffersTheNearest) {
  const std::string text = error_of<ConfigError>([] {
    make_transform({{"type", "actnrom"}, {"event", 2}}, "config");
  });
  EXPECT_THAT(text, HasSubstr("[config] type"));
  EXPECT_THAT(text, HasSubstr("'actnrom'"));
  EXPECT_THAT(text, HasSubstr("Did you mean 'actnorm'?"));
}

TEST(TransformRegistry, SpecWithoutTypeIsAnError) {
  for (const Json& spec : {Json::object(), Json("actnorm"), Json({{"type", 3}})}) {
    EXPECT_THAT(error_of<ConfigError>([&] { make_transform(spec); }), HasSubstr("\"type\""));
  }
}

TEST(TransformRegistry, MessagesSayWhichMember) {
  const Json spec{{"type", "chain"},
                  {"transforms", {{{"type", "logit"}, {"event", 2}}, {{"type", "actnorm"}}}}};
  const std::string text = error_of<ConfigError>([&] { make_transform(spec, "config"); });
  EXPECT_THAT(text, HasSubstr("[config transforms[1]] event"));
}

TEST(TransformRegistry, ResolveFillsMembersOfComposites) {
  const Json spec{{"type", "inverse"}, {"transform", {{"type", "logit"}, {"event", 2}}}};
  const Json resolved = resolve_transform(spec);
  EXPECT_EQ(resolved["transform"]["alpha"], 0.05);
  EXPECT_EQ(resolved["transform"]["type"], "logit");
}

}  // namespace
}  // namespace contraflow
