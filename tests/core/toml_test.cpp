#include "contraflow/core/toml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "contraflow/core/json.h"
#include "tests/support/byte_damage.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;
using testing::error_of;
using ::testing::HasSubstr;

TEST(Toml, ReadsEveryTypeInTheOrderOfTheFile) {
  const Json json = parse_toml(R"(
z = 1
a = "text"
[training]
rate = 1e-3
on = true
widths = [64, 32]
[[layer]]
kind = "actnorm"
[[layer]]
kind = "residual"
)",
                               "run.toml");
  EXPECT_EQ(json_text(json),
            R"({"z":1,"a":"text","training":{"rate":0.001,"on":true,"widths":[64,32]},)"
            R"("layer":[{"kind":"actnorm"},{"kind":"residual"}]})");
}

TEST(Toml, ErrorsNameFileLineColumnAndRemedy) {
  const std::string text =
      error_of<ConfigError>([] { parse_toml("a = 1\nb = oops\n", "run.toml"); });
  EXPECT_THAT(text, HasSubstr("[run.toml] line 2, column "));
  EXPECT_THAT(text, HasSubstr("text needs quotes"));
}

TEST(Toml, DuplicateKeysHugeIntegersAndDatesAreErrors) {
  EXPECT_THAT(error_of<ConfigError>([] { parse_toml("a = 1\na = 2\n", "f"); }),
              HasSubstr("line 2"));
  EXPECT_THAT(error_of<ConfigError>([] { parse_toml("a = 9223372036854775808", "f"); }),
              HasSubstr("[f] line 1"));
  EXPECT_THAT(error_of<ConfigError>([] { parse_toml("a = 2020-01-01", "f"); }),
              HasSubstr("got a date or time. Put it in quotes."));
  EXPECT_THAT(error_of<ConfigError>([] { parse_toml(std::string(100'000, '['), "f"); }),
              HasSubstr("[f] line 1"));
  for (const char* header : {"a = 1\n[=]\n", "a = 1\n [[ [b]]]\n", "[a]\n[.b]", "[a]\n[[\n"}) {
    EXPECT_THAT(error_of<ConfigError>([&] { parse_toml(header, "f"); }), HasSubstr("[f] line 2"));
  }
  EXPECT_THAT(error_of<ConfigError>([] { parse_toml("a = \"\xFF\"", "f"); }),
              HasSubstr("[f] line 1"));
}

TEST(Toml, WritesWhatItReads) {
  const Json json = Json::parse(R"({"t": {"x": 1, "u": {"y": [1.5, "q\"\\\n"]}}, "a b": true,
      "l": [{"k": 1}, {"k": {"m": "é"}}], "big": 9223372036854775807, "small": 1e-300, "e": {}})");
  const Json back = parse_toml(to_toml(json), "t");
  EXPECT_EQ(nlohmann::json::parse(back.dump()), nlohmann::json::parse(json.dump()))
      << to_toml(json);
  EXPECT_EQ(to_toml({{"a", nullptr}}), "a = \"none\"\n");
}

void expect_finite(const Json& json, const std::string& text) {
  EXPECT_TRUE(!json.is_number_float() || std::isfinite(json.get<double>())) << text;
  for (const Json& value : json) {
    if (json.is_structured()) expect_finite(value, text);
  }
}

TEST(Toml, EveryDamagedByteIsRefusedOrRead) {
  const std::string good = R"(# a config
name = "mo\u00f6ns"
rate = 1e-3
large = 1e100
count = 0x1F
[net]
hidden = [64, 32]   # widths
on = true
[[layer]]
kind = 'inline'
point = {x = 1_0, y = "s"}
)";
  int read = 0, refused = 0;
  testing::for_each_damage(good, [&](const std::string& bytes, const std::string& what) {
    try {
      const Json json = parse_toml(bytes, "run.toml");
      ++read;
      expect_finite(json, what + ":\n" + bytes);
      EXPECT_EQ(parse_toml(to_toml(json), "again").size(), json.size()) << what;
    } catch (const ConfigError& error) {  // any other exception fails the test
      EXPECT_THAT(error.what(), HasSubstr("[run.toml] line ")) << what;
      ++refused;
    }
  });
  EXPECT_GT(read, 500);
  EXPECT_GT(refused, 500);
}

Json assigned(std::string_view start, std::initializer_list<const char*> assignments) {
  Json json = parse_json(start, "t");
  for (const char* assignment : assignments) apply_assignment(json, assignment);
  return json;
}

TEST(Assignment, ValuesAreTomlAndBareWordsAreText) {
  EXPECT_EQ(assigned("{}", {"a.b=3", "a.c=1e-3", "a.d=true", "e=cosine", "f=[1, 2]", "g='5'"}),
            Json::parse(R"({"a":{"b":3,"c":0.001,"d":true},"e":"cosine","f":[1,2],"g":"5"})"));
  EXPECT_EQ(
      assigned("{}", {"p=/data/x y.csv", "d=2020-01-01", "q=a=b", "n=", "m=1\nz = 2"}),
      Json::parse(R"({"p":"/data/x y.csv","d":"2020-01-01","q":"a=b","n":"","m":"1\nz = 2"})"));
}

TEST(Assignment, LaterOnesAndExistingTables) {
  EXPECT_EQ(assigned(R"({"a":{"x":1,"y":2}})", {"a.x=3", "a.x=4"}),
            Json::parse(R"({"a":{"x":4,"y":2}})"));
}

TEST(Assignment, KindsChangeWithTheirKeys) {
  EXPECT_EQ(assigned(R"({"l":"series"})", {"l.terms=3"}),
            Json::parse(R"({"l":{"kind":"series","terms":3}})"));
  EXPECT_EQ(assigned(R"({"l":{"kind":"series","terms":3}})", {"l.kind=exact"}),
            Json::parse(R"({"l":{"kind":"exact"}})"));
  EXPECT_EQ(assigned(R"({"l":{"kind":"series","terms":3}})", {"l.kind=series"}),
            Json::parse(R"({"l":{"kind":"series","terms":3}})"));
}

TEST(Assignment, MalformedOnesAreErrors) {
  Json json = Json::object();
  for (const char* bad : {"steps", "=3", "a..b=3", ".a=3", "a.=3", ""}) {
    EXPECT_THAT(error_of<ConfigError>([&] { apply_assignment(json, bad); }),
                HasSubstr("key.path=value"));
  }
  EXPECT_THAT(error_of<ConfigError>([&] { apply_assignment(json, "a=[1, 2"); }),
              HasSubstr("[--set] a: expected a TOML value, got [1, 2"));
  json["a"] = 3;
  EXPECT_THAT(error_of<ConfigError>([&] { apply_assignment(json, "a.b=1"); }),
              HasSubstr("expected a path through tables"));
}

TEST(Json, ErrorsNameLineAndColumn) {
  EXPECT_THAT(error_of<ConfigError>([] { parse_json("{\"a\": 1,\n \"b\": x}", "m.json"); }),
              HasSubstr("[m.json] line 2, column 7"));
  EXPECT_THAT(error_of<ConfigError>([] { parse_json("", "m.json"); }),
              HasSubstr("line 1, column 1"));
  EXPECT_THROW(parse_json("{} {}", "m"), ConfigError);
}

TEST(Json, DuplicateKeysAndDeepNestingAreErrors) {
  EXPECT_THAT(error_of<ConfigError>([] { parse_json(R"({"b":{"a":1,"c":2,"a":3}})", "m"); }),
              HasSubstr("got the key 'a' twice"));
  EXPECT_EQ(parse_json(R"([{"a":1},{"a":2}])", "m").size(), 2U);
  EXPECT_THAT(error_of<ConfigError>([] {
                parse_json(std::string(1'000'000, '[') + std::string(1'000'000, ']'), "m");
              }),
              HasSubstr("more than 64 levels"));
}

}  // namespace
}  // namespace contraflow
