#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "contraflow/core/json.h"
#include "contraflow/core/options.h"
#include "tests/core/sample_options.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using sample::Options;
using testing::error_of;
using ::testing::HasSubstr;

Options read(std::string_view json) {
  return options_from_json<Options>(parse_json(json, "test"), "config.toml");
}

std::string refusal(std::string_view json) {
  return error_of<ConfigError>([&] { read(json); });
}

TEST(OptionsRead, AbsentKeysKeepTheirDefaults) {
  const Options o = read("{}");
  EXPECT_EQ(o.steps, 1000);
  EXPECT_EQ(o.clip, 1.0);
  EXPECT_EQ(std::get<sample::Series>(o.log_det).terms, 5);
}

TEST(OptionsRead, EveryTypeIsRead) {
  const Options o = read(R"({"resume": true, "steps": 5000, "lipschitz": 0.5, "name": "a",
      "step": {"rate": 1, "schedule": "cosine", "warm_up": 3}, "patience": 4, "clip": null,
      "hidden": [1, 2, 3], "estimators": ["exact", {"kind": "series", "terms": 2}],
      "log_det": {"kind": "roulette", "rate": 0.25}, "extra": {"b": [1, {"c": null}]}})");
  EXPECT_TRUE(o.resume);
  EXPECT_EQ(o.steps, 5000);
  EXPECT_EQ(o.name, "a");
  EXPECT_EQ(o.step.rate, 1.0);
  EXPECT_EQ(o.step.schedule, sample::Schedule::kCosine);
  EXPECT_EQ(o.patience, 4);
  EXPECT_FALSE(o.clip.has_value());
  EXPECT_EQ(o.hidden, (std::vector<int64_t>{1, 2, 3}));
  ASSERT_EQ(o.estimators.size(), 2U);
  EXPECT_EQ(std::get<sample::Series>(o.estimators[1]).terms, 2);
  EXPECT_EQ(std::get<sample::Roulette>(o.log_det).rate, 0.25);
  EXPECT_EQ(o.extra["b"][0], 1);
}

TEST(OptionsRead, WholeFloatsAreIntegers) {
  EXPECT_EQ(read(R"({"steps": 5e3})").steps, 5000);
  EXPECT_THAT(refusal(R"({"steps": 5000.5})"),
              HasSubstr("[config.toml] steps: expected an integer >= 1, got 5000.5. "));
  EXPECT_THAT(refusal(R"({"steps": 1e300})"), HasSubstr("expected an integer >= 1, got 1e+300"));
}

TEST(OptionsRead, IntegersBeyondInt64AreErrors) {
  EXPECT_EQ(read(R"({"steps": 9223372036854775807})").steps, std::numeric_limits<int64_t>::max());
  EXPECT_THAT(refusal(R"({"steps": 9223372036854775808})"), HasSubstr("got 9223372036854775808"));
  EXPECT_THAT(refusal(R"({"steps": 99999999999999999999})"), HasSubstr("expected an integer"));
  EXPECT_THAT(refusal(R"({"small": 2147483648})"), HasSubstr("fits in 32 bits, got 2147483648"));
}

TEST(OptionsRead, UnknownKeyNamesTheNearest) {
  EXPECT_EQ(
      refusal(R"({"step": {"ratte": 1}})"),
      "[config.toml] step.ratte: expected a known key, got an unknown one. Did you mean 'rate'?");
  EXPECT_THAT(refusal(R"({"step": {"zzzzzz": 1}})"), HasSubstr("Known: rate, schedule, warm_up."));
}

TEST(OptionsRead, WrongTypesSayWhatIsExpected) {
  EXPECT_THAT(refusal(R"({"resume": 1})"), HasSubstr("resume: expected true or false, got 1."));
  EXPECT_THAT(refusal(R"({"steps": "5"})"),
              HasSubstr("got \"5\". Write the number without quotes"));
  EXPECT_THAT(refusal(R"({"steps": true})"),
              HasSubstr("steps: expected an integer >= 1, got true"));
  EXPECT_THAT(refusal(R"({"lipschitz": "x"})"),
              HasSubstr("expected a number in (0, 1), got \"x\""));
  EXPECT_THAT(refusal(R"({"name": 3})"), HasSubstr("name: expected text not empty, got 3"));
  EXPECT_THAT(refusal(R"({"step": 3})"), HasSubstr("step: expected a table, got 3"));
  EXPECT_THAT(refusal(R"({"hidden": 3})"), HasSubstr("hidden: expected a list, got 3"));
  EXPECT_THAT(refusal(R"({"hidden": [1, "x"]})"), HasSubstr("hidden[1]: expected an integer"));
  EXPECT_THAT(refusal(R"({"steps": null})"), HasSubstr("got null"));
  EXPECT_THAT(refusal("[]"), HasSubstr("[config.toml] options: expected a table, got []"));
}

TEST(OptionsRead, RangesAreChecked) {
  EXPECT_THAT(refusal(R"({"steps": 0})"), HasSubstr("steps: expected an integer >= 1, got 0"));
  EXPECT_THAT(refusal(R"({"lipschitz": 1})"), HasSubstr("expected a number in (0, 1), got 1"));
  EXPECT_THAT(refusal(R"({"name": ""})"), HasSubstr("name: expected text that is not empty"));
  EXPECT_THAT(refusal(R"({"hidden": []})"), HasSubstr("hidden: expected a list that is not empty"));
  EXPECT_THAT(refusal(R"({"hidden": [4, 0]})"),
              HasSubstr("hidden[1]: expected an integer > 0, got 0"));
  EXPECT_THAT(refusal(R"({"patience": 0})"), HasSubstr("patience: expected an integer > 0, got 0"));
}

TEST(OptionsRead, NanAndInfinityAreErrors) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const nlohmann::ordered_json json{{"clip", bad}};
    const std::string text = error_of<ConfigError>([&] { options_from_json<Options>(json, "x"); });
    EXPECT_THAT(text, HasSubstr("clip: expected a finite number > 0, got "));
  }
}

TEST(OptionsRead, EnumNamesTheNearestValue) {
  EXPECT_EQ(refusal(R"({"step": {"schedule": "cosin"}})"),
            "[config.toml] step.schedule: expected one of constant, cosine, got \"cosin\". "
            "Did you mean 'cosine'?");
}

TEST(OptionsRead, VariantTakesTextTablesAndTheDefaultsKind) {
  EXPECT_TRUE(std::holds_alternative<sample::Exact>(read(R"({"log_det": "exact"})").log_det));
  EXPECT_EQ(std::get<sample::Series>(read(R"({"log_det": "series"})").log_det).terms, 5);
  EXPECT_EQ(std::get<sample::Series>(read(R"({"log_det": {"terms": 7}})").log_det).terms, 7);
  EXPECT_THAT(refusal(R"({"log_det": {"kind": "exat"}})"),
              HasSubstr("log_det.kind: expected one of exact, series, roulette, got \"exat\""));
  EXPECT_THAT(refusal(R"({"log_det": {"kind": "exact", "terms": 3}})"),
              HasSubstr("log_det.terms: expected a known key of kind 'exact'"));
  EXPECT_THAT(
      refusal(R"({"estimators": [{"terms": 3}]})"),
      HasSubstr("estimators[0].kind: expected one of exact, series, roulette, got nothing"));
}

TEST(OptionsRead, ContradictionsComeFromValidate) {
  EXPECT_THAT(refusal(R"({"step": {"warm_up": 5}})"), HasSubstr("[Step] warm_up: expected 0"));
}

TEST(OptionsRead, UpdateKeepsWhatIsNotNamedAndIsAllOrNothing) {
  Options o;
  o.steps = 7;
  update_options(o, parse_json(R"({"name": "b"})", "t"), "t");
  EXPECT_EQ(o.steps, 7);
  EXPECT_THROW(update_options(o, parse_json(R"({"steps": 9, "lipschitz": 2})", "t"), "t"),
               ConfigError);
  EXPECT_EQ(o.steps, 7);
}

TEST(OptionsRead, CheckFindsWhatCodeFilledInWrongly) {
  Options o;
  check_options(o, "Flow");
  o.lipschitz = 1.5;
  EXPECT_THAT(error_of<ConfigError>([&] { check_options(o, "Flow"); }),
              HasSubstr("[Flow] lipschitz: expected a number in (0, 1), got 1.5"));
  o.lipschitz = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(error_of<ConfigError>([&] { check_options(o, "Flow"); }),
              HasSubstr("[Flow] lipschitz: expected a finite number, got nan"));
}

TEST(OptionsRead, HostileTextIsShortened) {
  const nlohmann::ordered_json json{{std::string(5000, 'k'), 1}};
  EXPECT_LT(error_of<ConfigError>([&] { options_from_json<Options>(json, "x"); }).size(), 300U);
}

}  // namespace
}  // namespace contraflow
