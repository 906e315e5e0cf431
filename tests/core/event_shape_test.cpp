#include "contraflow/core/event_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/core/options.h"

namespace contraflow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Shaped {
  EventShape event = 2;
  EventShape condition = {};
};

template <class Field>
void visit(Shaped& o, Field&& field) {
  field("event", o.event, non_empty(), "Shape of one event.");
  field("condition", o.condition, "Shape of the condition.");
}

Shaped read_shaped(const char* text) {
  return options_from_json<Shaped>(nlohmann::ordered_json::parse(text), "test");
}

std::string error_of(const char* text) {
  try {
    read_shaped(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

TEST(EventShape, CountsFeaturesAndPixels) {
  const EventShape image{3, 4, 5};
  EXPECT_EQ(image.size(), 60);
  EXPECT_EQ(image.features(), 3);
  EXPECT_EQ(image.pixels(), 20);
  EXPECT_FALSE(image.is_row());
  const EventShape row = 7;
  EXPECT_EQ(row.size(), 7);
  EXPECT_EQ(row.features(), 7);
  EXPECT_EQ(row.pixels(), 1);
  EXPECT_TRUE(row.is_row());
  EXPECT_EQ(row, EventShape{7});
  const EventShape none = 0;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.size(), 0);
  EXPECT_EQ(none.pixels(), 0);
}

TEST(EventShape, OptionsTakeANumberOrAList) {
  EXPECT_EQ(read_shaped("{}").event, EventShape{2});
  EXPECT_EQ(read_shaped(R"({"event": 5})").event, EventShape{5});
  EXPECT_EQ(read_shaped(R"({"event": [5]})").event, EventShape{5});
  EXPECT_THAT(read_shaped(R"({"event": [3, 32, 32]})").event.sizes(), ElementsAre(3, 32, 32));
  EXPECT_TRUE(read_shaped(R"({"condition": 0})").condition.empty());
  EXPECT_TRUE(read_shaped(R"({"condition": []})").condition.empty());
}

TEST(EventShape, OptionsWriteTheShortForm) {
  EXPECT_EQ(options_to_json(Shaped{}).dump(), R"({"event":2,"condition":0})");
  EXPECT_EQ(options_to_json(Shaped{.event = {3, 8, 8}, .condition = 4}).dump(),
            R"({"event":[3,8,8],"condition":4})");
}

TEST(EventShape, RefusesWhatIsNoShape) {
  EXPECT_THAT(error_of(R"({"event": 0})"),
              HasSubstr("[test] event: expected an event shape, got 0"));
  EXPECT_THAT(error_of(R"({"event": [3, 0, 2]})"), HasSubstr("event[1]: expected an integer >= 1"));
  EXPECT_THAT(error_of(R"({"event": -1})"), HasSubstr("expected an integer >= 0, got -1"));
  EXPECT_THAT(error_of(R"({"event": "3"})"), HasSubstr("Write the number without quotes."));
  EXPECT_THAT(error_of(R"({"event": [3000000, 3000000, 9]})"), HasSubstr("at most 2^40 numbers"));
  EXPECT_THROW(EventShape({2, -1}), ConfigError);
}

}  // namespace
}  // namespace contraflow
