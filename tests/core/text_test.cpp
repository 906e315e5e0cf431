#include "contraflow/core/text.h"

#include <gtest/gtest.h>

#include <limits>

#include "contraflow/core/error.h"
#include "contraflow/core/log.h"
#include "contraflow/core/unknown_name.h"

namespace contraflow {
namespace {

TEST(NearestMatch, FindsSlipsAndRefusesOtherWords) {
  const std::vector<std::string> words{"learning_rate", "weight_decay", "steps"};
  EXPECT_EQ(nearest_match("learning_rat", words), "learning_rate");
  EXPECT_EQ(nearest_match("lerning_rate", words), "learning_rate");
  EXPECT_EQ(nearest_match("LearningRate", words), "learning_rate");
  EXPECT_EQ(nearest_match("setps", words), "steps");
  EXPECT_EQ(nearest_match("step", words), "steps");
  EXPECT_EQ(nearest_match("momentum", words), std::nullopt);
  EXPECT_EQ(nearest_match("", words), std::nullopt);
  EXPECT_EQ(nearest_match("steps", {}), std::nullopt);
}

TEST(UnknownName, ShortListsAreGivenAndLongOnesCounted) {
  const std::vector<std::string> few{"adam", "sgd"};
  EXPECT_EQ(unknown_name("adm", few, "list").expected, "one of adam, sgd");
  EXPECT_EQ(unknown_name("adm", few, "list").remedy, "Did you mean 'adam'?");
  EXPECT_EQ(unknown_name("x", few, "list").remedy, "'list' shows them all.");
  std::vector<std::string> many(20, "other");
  many.emplace_back("adam");
  EXPECT_EQ(unknown_name("adm", many, "list").expected, "one of 21 names");
  EXPECT_EQ(unknown_name("adm", many, "list").remedy,
            "Did you mean 'adam'? 'list' shows them all.");
  EXPECT_EQ(unknown_name("x", many, "list").remedy, "'list' shows them all.");
}

TEST(Text, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(format_bytes(int64_t{3} << 30), "3.0 GiB");
  EXPECT_EQ(format_bytes(std::numeric_limits<int64_t>::max()), "8.0 EiB");
}

TEST(Text, Durations) {
  EXPECT_EQ(format_duration(0.84), "0.8 s");
  EXPECT_EQ(format_duration(9.96), "10 s");
  EXPECT_EQ(format_duration(59.6), "1 min 00 s");
  EXPECT_EQ(format_duration(125), "2 min 05 s");
  EXPECT_EQ(format_duration(3 * 3600 + 7 * 60), "3 h 07 min");
  EXPECT_EQ(format_duration(52 * 3600), "2 d 04 h");
  EXPECT_EQ(format_duration(-125), "-2 min 05 s");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "unknown");
  EXPECT_EQ(format_duration(1e300), "unknown");
}

TEST(Text, Counts) {
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(-1234567), "-1,234,567");
  EXPECT_EQ(format_count(-123), "-123");
}

TEST(Text, ShortenKeepsCodePointsWhole) {
  EXPECT_EQ(shorten("ééé", 2), "éé...");
  EXPECT_EQ(shorten("a\nb", 9), "a b");
  EXPECT_EQ(shorten("abc", 3), "abc");
}

TEST(Text, WidthCountsColumns) {
  EXPECT_EQ(display_width("né"), 2);
  EXPECT_EQ(display_width("e\u0301"), 1);
  EXPECT_EQ(display_width("漢字"), 4);
  EXPECT_EQ(display_width("\xFFz\xC3"), 3);
}

TEST(TextTable, AlignsByColumns) {
  TextTable table({"name", "bits"}, {Align::kLeft, Align::kRight});
  table.add_row({"élan", "2.1"});
  table.add_row({"x"});
  EXPECT_EQ(table.str(), "name  bits\n----  ----\nélan   2.1\nx\n");
  EXPECT_EQ(table.markdown(), "| name | bits |\n|---|---:|\n| élan | 2.1 |\n| x |  |\n");
  EXPECT_THROW(table.add_row({"a", "b", "c"}), ShapeError);
}

TEST(Log, SinkIsReplaceableAndSilentByDefault) {
  std::vector<std::string> seen;
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  log(LogLevel::kWarning, "nobody listens");
  {
    const ScopedLogSink scoped([&](LogLevel, std::string_view text) { seen.emplace_back(text); });
    log(LogLevel::kInfo, "one");
  }
  log(LogLevel::kWarning, "nobody listens again");
  EXPECT_EQ(::testing::internal::GetCapturedStdout() + ::testing::internal::GetCapturedStderr(),
            "");
  EXPECT_EQ(seen, (std::vector<std::string>{"one"}));
}

TEST(Log, SinkMayLogAndReplaceItself) {
  int calls = 0;
  LogSink second = [&](LogLevel, std::string_view) { calls += 100; };
  const ScopedLogSink scoped([&](LogLevel level, std::string_view) {
    ++calls;
    static_cast<void>(exchange_log_sink(second));
    log(level, "from inside");
  });
  log(LogLevel::kInfo, "x");
  EXPECT_EQ(calls, 101);
}

}  // namespace
}  // namespace contraflow
