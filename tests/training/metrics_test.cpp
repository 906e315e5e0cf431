#include "contraflow/training/metrics.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "contraflow/core/text.h"
#include "contraflow/training/progress.h"
#include "tests/support/tensors.h"
#include "tests/training/training_support.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::read_bytes;
using testing::TempFolder;
using testing::write_bytes;

MetricsRecord record_of(int64_t step) {
  MetricsRecord r;
  r.step = step;
  r.loss = {3.7121, 0.0213, 500};
  r.gradient_norm = 1.5;
  r.learning_rate = 1e-3;
  r.seconds = 0.5 * static_cast<double>(step);
  return r;
}

std::vector<int64_t> steps_in(const std::filesystem::path& path) {
  std::istringstream in(read_bytes(path));
  std::vector<int64_t> steps;
  for (std::string line; std::getline(in, line);)
    steps.push_back(nlohmann::json::parse(line)["step"]);
  return steps;
}

TEST(Metrics, JsonHoldsEveryNumberAndNullForWhatIsNotOne) {
  MetricsRecord r = record_of(7);
  EXPECT_EQ(metrics_to_json(r).dump(),
            R"({"step":7,"loss":3.7121,"loss_standard_error":0.0213,"gradient_norm":1.5,)"
            R"("learning_rate":0.001,"seconds":3.5})");
  r.validation = Estimate{std::numeric_limits<double>::infinity(), 0.25, 80};
  r.is_best = true;
  const nlohmann::ordered_json json = metrics_to_json(r);
  EXPECT_TRUE(json["validation_loss"].is_null());
  EXPECT_EQ(json["validation_standard_error"], 0.25);
  EXPECT_EQ(json["is_best"], true);
}

TEST(Metrics, LinesAreThereBeforeTheFileIsClosed) {
  const TempFolder folder;
  MetricsWriter writer(folder.path() / "m.jsonl", 0);
  writer.write(record_of(1));
  EXPECT_EQ(steps_in(folder.path() / "m.jsonl"), std::vector<int64_t>{1});
}

TEST(Metrics, ResumeCutsLaterStepsAndHalfALine) {
  const TempFolder folder;
  const std::filesystem::path path = folder.path() / "m.jsonl";
  {
    MetricsWriter writer(path, 0);
    for (int64_t step : {1, 10, 20, 30}) writer.write(record_of(step));
  }
  write_bytes(path, read_bytes(path) + R"({"step":40,"lo)");
  {
    MetricsWriter writer(path, 20);
    EXPECT_EQ(writer.seconds(), 10.0);
    writer.write(record_of(30));
  }
  EXPECT_EQ(steps_in(path), (std::vector<int64_t>{1, 10, 20, 30}));
}

TEST(Metrics, AWholeLineWithoutItsNewlineGoesToo) {
  const TempFolder folder;
  const std::filesystem::path path = folder.path() / "m.jsonl";
  write_bytes(path, "{\"step\":1}\n{\"step\":2}");
  MetricsWriter(path, 5).write(record_of(2));
  EXPECT_EQ(steps_in(path), (std::vector<int64_t>{1, 2}));
}

TEST(Metrics, ABrokenLineInTheMiddleIsAnErrorAndStays) {
  const TempFolder folder;
  const std::filesystem::path path = folder.path() / "m.jsonl";
  const std::string bytes = "{\"step\":1}\nnot a record\n{\"step\":2}\n";
  write_bytes(path, bytes);
  EXPECT_THAT(error_of<IoError>([&] { MetricsWriter(path, 5); }), HasSubstr("line 2"));
  EXPECT_EQ(read_bytes(path), bytes);
}

TEST(Metrics, AFolderThatIsMissingIsAnError) {
  const TempFolder folder;
  error_of<IoError>([&] { MetricsWriter(folder.path() / "none" / "m.jsonl", 0); });
}

TEST(Progress, LineTellsStepsRateTimeLossAndValidation) {
  ProgressState state{.record = record_of(1200), .steps = 5000, .steps_per_second = 0.0};
  EXPECT_EQ(progress_line(state), "1,200/5,000 24%  loss 3.712 ± 0.021");
  state.steps_per_second = 76.0;
  state.record.validation = Estimate{3.698, std::numeric_limits<double>::quiet_NaN(), 1};
  state.record.is_best = true;
  EXPECT_EQ(progress_line(state),
            "1,200/5,000 24%  76 step/s  50 s left  loss 3.712 ± 0.021  validation 3.698 best");
}

TEST(Progress, ABudgetIsToldByWhatIsUsedAndLeftOfIt) {
  ProgressState state{
      .record = record_of(1200), .steps = 0, .steps_per_second = 76.0, .budget = 600.0};
  state.record.budget_used = 0.25;
  EXPECT_EQ(progress_line(state),
            "1,200 steps 25%  76 step/s  7 min 30 s left  loss 3.712 ± 0.021");
  state.steps = 1276;  // these end first
  EXPECT_EQ(progress_line(state), "1,200/1,276 94%  76 step/s  1.0 s left  loss 3.712 ± 0.021");
}

TEST(Progress, SmallLossesKeepTheirDigits) {
  ProgressState state{.record = record_of(10), .steps = 20, .steps_per_second = 0.0};
  state.record.loss = Estimate{1.234e-5, 2.1e-7, 100};
  EXPECT_EQ(progress_line(state), "10/20 50%  loss 1.23e-05 ± 2e-07");
}

TEST(Progress, TerminalRewritesOneLineAndKeepsItShort) {
  std::ostringstream out;
  ProgressPrinter printer(out, 4, {.is_terminal = true, .columns = 30});
  for (int64_t step = 1; step <= 4; ++step) printer.on_step(record_of(step));
  printer.finish();
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 3);  // the first step only starts the clock
  for (size_t at = text.find('\r'); at != std::string::npos; at = text.find('\r', at + 1)) {
    const size_t end = text.find("\x1b[K", at);
    EXPECT_LE(display_width(std::string_view(text).substr(at + 1, end - at - 1)), 29);
  }
}

TEST(Progress, ElsewherePlainLinesAtAnIntervalAndTheLastStep) {
  std::ostringstream out;
  ProgressPrinter printer(out, 100, {.is_terminal = false, .plain_interval = 10.0});
  for (int64_t step = 1; step <= 95; ++step)
    printer.on_step(record_of(step));  // two steps a second
  printer.finish();                    // interrupted: the newest step is shown
  std::istringstream lines(out.str());
  std::vector<std::string> got;
  for (std::string line; std::getline(lines, line);) got.push_back(line.substr(0, line.find(' ')));
  EXPECT_EQ(got, (std::vector<std::string>{"21/100", "41/100", "61/100", "81/100", "95/100"}));
  EXPECT_THAT(out.str(), HasSubstr("2.00 step/s"));
  EXPECT_EQ(out.str().find('\r'), std::string::npos);
}

}  // namespace
}  // namespace contraflow
