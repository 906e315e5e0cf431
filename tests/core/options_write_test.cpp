#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "contraflow/core/json.h"
#include "contraflow/core/options.h"
#include "contraflow/core/rng.h"
#include "contraflow/core/toml.h"
#include "tests/core/sample_options.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using sample::Options;
using ::testing::HasSubstr;

// Options drawn at random, every alternative and every emptiness among them.
Options random_options(uint64_t seed) {
  auto pick = [rng = Rng(seed), draw = int64_t{0}](uint64_t count) mutable {
    return static_cast<int64_t>(rng.words(draw++, 0)[0] % count);
  };
  const auto log_det = [&]() -> sample::LogDet {
    const double rate = static_cast<double>(1 + pick(1'000'000)) / 1'000'001.0;
    const int64_t kind = pick(3);
    if (kind == 0) return sample::Exact{};
    if (kind == 1) return sample::Series{.terms = 1 + pick(1000)};
    return sample::Roulette{.rate = rate,
                            .limit = pick(2) ? std::optional(1.0 / rate) : std::nullopt};
  };
  Options o;
  o.resume = pick(2) == 1;
  o.steps = 1 + pick(1U << 31U) * 4'000'000'000;
  o.small = static_cast<int32_t>(pick(1000)) - 500;
  o.lipschitz = static_cast<double>(1 + pick(1000)) / 1003.0;
  for (int64_t i = pick(20); i >= 0; --i) o.name += "aZ \"\\\n\t\x01é∑."[pick(12)];
  o.name = nlohmann::ordered_json::parse(json_text(o.name));  // broken UTF-8 replaced
  o.step = {.rate = 1.0 / static_cast<double>(1 + pick(1000)),
            .schedule = sample::Schedule::kCosine,
            .warm_up = pick(5)};
  if (pick(2)) o.patience = 1 + pick(9);
  if (pick(2)) o.clip.reset();
  o.hidden.resize(static_cast<size_t>(1 + pick(3)), 1 + pick(100));
  for (int64_t i = pick(3); i > 0; --i) o.estimators.push_back(log_det());
  o.log_det = log_det();
  if (pick(2)) o.extra = {{"a b", {1, 2.5, "x"}}, {"t", {{"deep", true}, {"none", {{"k", 1}}}}}};
  return o;
}

TEST(OptionsWrite, RandomOptionsSurviveJsonAndToml) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto json = options_to_json(random_options(seed));
    const auto from_json = options_from_json<Options>(parse_json(json_text(json), "t"), "t");
    EXPECT_EQ(options_to_json(from_json), json);
    const auto from_toml = options_from_json<Options>(parse_toml(to_toml(json), "t"), "t");
    EXPECT_EQ(options_to_json(from_toml), json) << to_toml(json);
  }
}

TEST(OptionsWrite, JsonHoldsEveryFieldInOrder) {
  const auto json = options_to_json(Options{});
  EXPECT_EQ(
      json_text(json),
      R"({"resume":false,"steps":1000,"small":1,"lipschitz":0.98,"name":"run",)"
      R"("step":{"rate":0.001,"schedule":"constant","warm_up":0},"patience":null,"clip":1.0,)"
      R"("hidden":[64,64],"estimators":[],"log_det":{"kind":"series","terms":5},"extra":{}})");
}

TEST(OptionsWrite, WhatJsonCannotHoldIsAnError) {
  Options o;
  o.step.rate = std::numeric_limits<double>::infinity();
  EXPECT_THAT(testing::error_of<ConfigError>([&] { options_to_json(o); }),
              HasSubstr("step.rate: expected a finite number, got inf"));
  o.step.rate = 1.0;
  o.step.schedule = static_cast<sample::Schedule>(7);
  EXPECT_THAT(testing::error_of<ConfigError>([&] { options_to_json(o); }),
              HasSubstr("step.schedule"));
}

const OptionInfo& row(const std::vector<OptionInfo>& rows, std::string_view path) {
  for (const OptionInfo& r : rows) {
    if (r.path == path) return r;
  }
  throw std::out_of_range(std::string(path));
}

TEST(OptionsDescribe, RowsHoldTypeDefaultRangeAndHelp) {
  const auto rows = describe_options<Options>();
  EXPECT_EQ(rows.size(), 20U);
  EXPECT_EQ(row(rows, "steps").type, "integer");
  EXPECT_EQ(row(rows, "steps").default_value, "1000");
  EXPECT_EQ(row(rows, "steps").range, ">= 1");
  EXPECT_EQ(row(rows, "steps").help, "Optimizer steps.");
  EXPECT_EQ(row(rows, "step.schedule").type, "constant | cosine");
  EXPECT_EQ(row(rows, "step.schedule").default_value, "constant");
  EXPECT_EQ(row(rows, "patience").type, "integer or none");
  EXPECT_EQ(row(rows, "patience").default_value, "none");
  EXPECT_EQ(row(rows, "hidden").type, "list of integer");
  EXPECT_EQ(row(rows, "hidden").range, "> 0, not empty");
  EXPECT_EQ(row(rows, "log_det").type, "exact | series | roulette");
  EXPECT_EQ(row(rows, "log_det").default_value, "series");
  EXPECT_EQ(row(rows, "log_det.terms").default_value, "5");
  EXPECT_EQ(row(rows, "log_det.terms").condition, "log_det.kind = series");
  EXPECT_EQ(row(rows, "estimators[].rate").condition, "estimators[].kind = roulette");
}

TEST(OptionsDescribe, DefaultsMayBeThoseOfAPreset) {
  Options preset;
  preset.steps = 77;
  EXPECT_EQ(row(describe_options(preset), "steps").default_value, "77");
}

TEST(OptionsDescribe, HelpAndMarkdownShowEveryRow) {
  const auto rows = describe_options<Options>();
  for (const OptionInfo& r : rows) {
    EXPECT_THAT(options_help(rows), HasSubstr(r.path));
    EXPECT_THAT(options_markdown(rows), HasSubstr("| " + r.path + " |"));
  }
  EXPECT_THAT(options_help(rows),
              HasSubstr("Terms of the series. (only for log_det.kind = series)"));
  EXPECT_THAT(options_markdown(rows), HasSubstr("constant \\| cosine"));
}

TEST(Constraint, TextAndRangeAgree) {
  EXPECT_EQ(positive().text(), "> 0");
  EXPECT_EQ(at_most(2.5).text(), "<= 2.5");
  EXPECT_EQ(half_open_interval(0, 1).text(), "in [0, 1)");
  EXPECT_EQ(left_open_interval(0, 1).text(), "in (0, 1]");
  EXPECT_EQ(closed_interval(-1, 1).text(), "in [-1, 1]");
  EXPECT_EQ((positive() && at_most(1)).text(), "in (0, 1]");
  EXPECT_EQ((at_least(0) && positive()).text(), "> 0");
  EXPECT_EQ(Constraint{}.text(), "");
  EXPECT_FALSE(positive().admits(0.0));
  EXPECT_TRUE(half_open_interval(0, 1).admits(0.0));
  EXPECT_FALSE(half_open_interval(0, 1).admits(1.0));
  EXPECT_TRUE(left_open_interval(0, 1).admits(1.0));
  EXPECT_FALSE(Constraint{}.admits(std::nan("")));
}

}  // namespace
}  // namespace contraflow
