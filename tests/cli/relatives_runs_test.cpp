#include <ATen/ATen.h>

#include <cmath>

#include "tests/cli/table_program.h"

// Changed data and parts of a split: relatives of the faults of kind 3 that tables once had.
namespace contraflow::testing {
namespace {

using ::testing::HasSubstr;

class CliRunRelatives : public TableProgram {
 protected:
  // Steps of 1e-4, which a text can write in more ways than one.
  at::Tensor rows_ = (1e4 * at::stack({normal_values(1, 400), normal_values(2, 400)}, 1)).round();

  static std::string in_steps(const at::Tensor& rows) { return csv_text("x,y", rows / 1e4); }
  void expect_refused() {
    expect_error(run({"evaluate", path("run")}), 2, {"400 rows", "--allow-changed-data"});
  }
};

TEST_F(CliRunRelatives, AnyChangeOfTheDataIsSeen) {
  write("t.csv", in_steps(rows_));
  train("t.csv");
  at::Tensor cell = rows_.clone();
  cell[7][1] += 1.0;
  write("t.csv", in_steps(cell));
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"evaluate"},
        {"certify"},
        {"plot"},
        {"compare", path("run")},
        {"score", "--split", "test", "-o", path("s.csv")}}) {
    std::vector<std::string> words{command[0], path("run")};
    words.insert(words.end(), command.begin() + 1, command.end());
    expect_error(run(words), 2, {"400 rows", "--allow-changed-data"});
  }
  const std::vector<std::string> resume{"train",    "--out",   path("run"),
                                        "--resume", "--steps", "160"};
  expect_error(run(resume), 2, {"the data of the run", "400 rows", "Restore the file"});
  write("t.csv", in_steps(at::cat({rows_, rows_.narrow(0, 0, 5)})));
  expect_refused();
  expect_error(run(resume), 2, {"the data of the run", "400 rows", "405 rows"});
  write("t.csv", in_steps(at::cat({rows_.narrow(0, 200, 200), rows_.narrow(0, 200, 200)})));
  expect_refused();
}

TEST_F(CliRunRelatives, TheSameNumbersInOtherWordsAreTheSameData) {
  rows_.narrow(0, 0, 20).select(1, 0).fill_(0.0);
  write("t.csv", in_steps(rows_));
  train("t.csv");
  const double before = nll();
  std::string text = "y,more,x\n";
  for (int64_t r = 0; r < rows_.size(0); ++r) {
    const double x = rows_[r][0].item<double>() / 1e4, y = rows_[r][1].item<double>() / 1e4;
    const std::string zero = r % 2 == 0 ? "-0.0" : "0.00";
    text += std::to_string(y) + ",7," + (x == 0.0 ? zero : std::to_string(x)) + "\n";
  }
  write("t.csv", text);
  EXPECT_NEAR(nll(), before, 1e-6);
}

/// The same number with a sign and more zeros.
std::string in_other_words(double value) {
  const std::string text = shortest(value);
  const bool plain = text.find('.') != std::string::npos && text.find('e') == std::string::npos;
  return (value > 0.0 ? "+" : "") + text + (plain ? "00" : "");
}

TEST_F(CliRunRelatives, CopiesInOtherWordsFallOnOneSide) {
  const at::Tensor rows = at::stack({normal_values(1, 100), normal_values(2, 100)}, 1);
  std::string text = csv_text("x,y", rows);
  for (int copy = 0; copy < 4; ++copy) {
    for (int64_t r = 0; r < 100; ++r) {
      text += in_other_words(rows[r][0].item<double>()) + " , " +
              in_other_words(rows[r][1].item<double>()) + "\n";
    }
  }
  write("t.csv", text);
  train("t.csv");
  EXPECT_THAT(
      notes_,
      HasSubstr("400 of 500 rows repeat another one; copies fall into one part of the split"));
  const Ran scored = run({"score", path("run"), "--split", "test", "-o", path("test.npy")});
  EXPECT_EQ(scored.code, 0) << scored.err;
  const at::Tensor log_prob = data::read_table(path("test.npy")).rows.select(1, 0);
  EXPECT_EQ(std::get<0>(at::_unique(log_prob)).size(0) * 5, log_prob.size(0)) << "all five copies";
}

TEST_F(CliRunRelatives, RowsWithoutAGroupAreLeftOutAndCounted) {
  for (const std::string prefix : {"", "customer "}) {
    std::string text = "x,y,g\n";
    for (int64_t r = 0; r < 400; ++r) {
      const std::string cells = csv_text("", rows_.narrow(0, r, 1) / 1e4);
      text += cells.substr(0, cells.size() - 1) + "," +
              (r % 8 == 0 ? (r % 16 == 0 ? "" : "NA") : prefix + std::to_string(r / 10)) + "\n";
    }
    write("t.csv", text);
    train("t.csv", {"--set", "data.group=g"});
    EXPECT_THAT(notes_, HasSubstr("dropped 50 of 400 rows with a missing value (g 50)"));
    expect_error(try_train("t.csv", {"--set", "data.group=g", "--set", "data.missing=error"}), 2,
                 {"row 0"});
  }
}

TEST_F(CliRunRelatives, DatesAndBooleansSplitRows) {
  std::string text = "x,y,day,old\n";
  for (int64_t r = 0; r < 400; ++r) {
    const std::string cells = csv_text("", rows_.narrow(0, r, 1) / 1e4),
                      day = std::to_string(10 + r / 20);
    text +=
        cells.substr(0, cells.size() - 1) + ",2024-01-" + day + (r % 5 == 0 ? ",yes\n" : ",no\n");
  }
  write("t.csv", text);
  train("t.csv", {"--set", "data.group=day", "--exclude", "old"});
  EXPECT_THAT(notes_, HasSubstr("split: 320 rows to train on, 40 to validate, 40 to test"));
  train("t.csv", {"--set", "data.time=day", "--exclude", "old"});
  ASSERT_EQ(run({"score", path("run"), "--split", "test", "-o", path("s.npy")}).code, 0);
  const at::Tensor all = scores("t.csv"), held = data::read_table(path("s.npy")).rows.select(1, 0);
  const at::Tensor last = std::get<0>(all.narrow(0, 360, 40).sort());
  EXPECT_LT((std::get<0>(held.sort()) - last).abs().max().item<double>(), 1e-6) << "the last days";
  train("t.csv", {"--set", "data.group=old", "--exclude", "day", "--set",
                  "data.validation_fraction=0", "--set", "training.validate_every=0"});
  EXPECT_THAT(notes_, HasSubstr("old: left out, it splits the rows"));
}

}  // namespace
}  // namespace contraflow::testing
