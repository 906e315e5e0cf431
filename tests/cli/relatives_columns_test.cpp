#include <ATen/ATen.h>

#include <cmath>

#include "tests/cli/table_program.h"

// Columns by position, and headers: relatives of the faults of kinds 1 and 5 that tables once had.
namespace contraflow::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

using CliColumnRelatives = TableProgram;

/// y follows x with a third of its spread; rows [n, 2].
at::Tensor line_rows(int64_t rows) {
  const at::Tensor x = normal_values(1, rows);
  return at::stack({x, 50.0 + 0.5 * x + 0.3 * normal_values(2, rows)}, 1);
}

at::Tensor with_column(const at::Tensor& column, const at::Tensor& rows) {
  return at::cat({column.unsqueeze(1), rows}, 1);
}

/// An .npy file with named fields of float64, as NumPy writes a structured array.
void write_fields(const std::filesystem::path& path, const std::vector<std::string>& names,
                  const at::Tensor& rows) {
  std::string text = "{'descr': [";
  for (const std::string& name : names) text += "('" + name + "', '<f8'), ";
  text += "], 'fortran_order': False, 'shape': (" + std::to_string(rows.size(0)) + ",), }";
  text.resize((10 + text.size() + 64) / 64 * 64 - 11, ' ');
  text += "\n";
  const at::Tensor plain = rows.contiguous();
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(text.size() % 256);
  bytes += static_cast<char>(text.size() / 256);
  bytes += text;
  bytes.append(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes());
  write_bytes(path, bytes);
}

double worst_gap(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST_F(CliColumnRelatives, NamesFindTheirColumnsWhateverStandsAround) {
  const at::Tensor rows = line_rows(1000), other = normal_values(3, 1000);
  write("t.csv", csv_text("x,y", rows));
  train("t.csv");
  const at::Tensor expected = scores("t.csv");
  write_fields(folder_ / "fields.npy", {"id", "y", "x"}, with_column(other, rows.flip(1)));
  EXPECT_LT(worst_gap(scores("fields.npy"), expected), 1e-9) << "fields in another order";
  write("front.csv",
        csv_text("junk,more,y,x", with_column(other, with_column(other, rows.flip(1)))));
  EXPECT_LT(worst_gap(scores("front.csv"), expected), 1e-9) << "columns in front";
  const at::Tensor index = at::arange(1000, at::kDouble);
  write("index.csv", csv_text(",y,x", with_column(index, rows.flip(1))));
  EXPECT_LT(worst_gap(scores("index.csv"), expected), 1e-9) << "the index that pandas saves";
  EXPECT_LT(worst_gap(scores("front.csv", {"--columns", "3,2"}), expected), 1e-9) << "by number";
  write("semicolons.csv", csv_text("y;x", rows.flip(1), {.field = ';', .decimal = ','}));
  EXPECT_LT(worst_gap(scores("semicolons.csv"), expected), 1e-9) << "semicolons, decimal commas";
}

TEST_F(CliColumnRelatives, ConditionsAndLabelsChangePlaces) {
  const at::Tensor c = normal_values(1, 1500), d = normal_values(2, 1500);
  const at::Tensor k = uniform_values(3, 1500).gt(0.5).to(at::kDouble);
  const at::Tensor y = 3.0 * c - 2.0 * d + 4.0 * k + 0.3 * normal_values(4, 1500);
  write("t.csv", csv_text("c,k,d,y", at::stack({c, k, d, y}, 1)));
  train("t.csv", {"--condition", "d,c", "--label", "k", "--lr", "1e-2"});
  const at::Tensor expected = scores("t.csv");
  write("other.csv", csv_text("y,d,c,k", at::stack({y, d, c, k}, 1)));
  EXPECT_LT(worst_gap(scores("other.csv"), expected), 1e-9);
  write("nameless.csv", csv_text("", at::stack({c, k, d, y}, 1)));
  EXPECT_LT(worst_gap(scores("nameless.csv", {"--columns", "3,2,0,1"}), expected), 1e-9);
  // Given one after the other: c moves y up, d moves it down.
  const auto mean = [&](const std::string& given_c, const std::string& given_d) {
    return draw(1000, {"--given", "c=" + given_c, "--given", "d=" + given_d, "--given", "k=0"})
        .select(1, 0)
        .mean()
        .item<double>();
  };
  const double middle = mean("0", "0");
  EXPECT_GT(mean("0.8", "0"), middle + 0.8);
  EXPECT_LT(mean("0", "0.8"), middle - 0.5);
}

TEST_F(CliColumnRelatives, AHeaderOfNumbersIsAHeader) {
  const at::Tensor rows = line_rows(400);
  write_npy(folder_ / "t.npy", rows);
  train("t.npy");
  const at::Tensor expected = scores("t.npy");
  write("years.csv", csv_text("2020,2021", rows));
  EXPECT_EQ(scores("years.csv").size(0), 400) << "not a row more";
  EXPECT_LT(worst_gap(scores("years.csv"), expected), 1e-9);
  write("swapped.csv", csv_text("1,0", rows.flip(1)));
  EXPECT_LT(worst_gap(scores("swapped.csv"), expected), 1e-9) << "column 0 is where its name is";
  train("years.csv");
  EXPECT_THAT(notes_, HasSubstr("read 400 rows"));
  EXPECT_THAT(notes_,
              HasSubstr("the first line, '2020,2021', holds whole numbers above fractions"));
  // A first row that is whole by chance stays a row, and that is said as well.
  write("chance.csv", csv_text("0,50", rows));
  train("chance.csv");
  EXPECT_THAT(notes_, HasSubstr("read 401 rows"));
  EXPECT_THAT(notes_, HasSubstr("it is read as a row"));
}

TEST_F(CliColumnRelatives, AnIndexIsLeftOutHoweverItWasSaved) {
  const at::Tensor rows = line_rows(600);
  const at::Tensor index = at::arange(600, at::kDouble);
  write("twice.csv",
        csv_text("Unnamed: 0.1,Unnamed: 0,x,y", with_column(index, with_column(index, rows))));
  train("twice.csv");
  EXPECT_THAT(notes_, HasSubstr("Unnamed: 0.1: left out, it numbers the rows"));
  EXPECT_THAT(notes_, HasSubstr("Unnamed: 0: left out, it numbers the rows"));
  write("joined.csv", csv_text(",x,y", with_column(index.remainder(200), rows)));
  train("joined.csv");
  EXPECT_THAT(notes_, HasSubstr("column_0: left out, it numbers the rows of several parts"));
  EXPECT_NEAR(nll({"--split", "train"}), 2.0 * kNormalEntropy + std::log(0.3), 0.2);
  write("shuffled.csv", csv_text(",x,y", with_column(3.0 * index.flip(0), rows)));
  train("shuffled.csv");
  EXPECT_THAT(notes_, HasSubstr("column_0: left out, an identifier"));
}

// One model, its file as five programs write it: the same numbers, so the same likelihood.
TEST_F(CliColumnRelatives, MarksAndCommentsChangeNothing) {
  const at::Tensor rows = line_rows(400);
  write("t.csv", csv_text("x,y", rows));
  train("t.csv");
  const double expected = nll();
  write("t.tsv", csv_text("x\ty", rows, {.field = '\t', .decimal = ','}));
  train("t.tsv");
  EXPECT_NEAR(nll(), expected, 1e-9) << "tabs and decimal commas";
  EXPECT_THAT(notes_, HasSubstr("decimals have a comma"));
  std::string quoted = "\"x\",\"y\"\n";
  for (int64_t r = 0; r < rows.size(0); ++r) {
    const std::string cells = csv_text("", rows.narrow(0, r, 1), {.field = ';', .decimal = ','});
    const size_t middle = cells.find(';');
    quoted += "\"" + cells.substr(0, middle) + "\",\"" +
              cells.substr(middle + 1, cells.size() - middle - 2) + "\"\n";
  }
  write("quoted.csv", quoted);
  train("quoted.csv");
  EXPECT_NEAR(nll(), expected, 1e-9) << "decimal commas within quotes";
  write("comment.csv", "# of the first day\n# with a comma, too\n" + csv_text("x,y", rows));
  train("comment.csv");
  EXPECT_NEAR(nll(), expected, 1e-9) << "comments above the header";
  write("names.csv", csv_text("\"x, of a\",\"y \"\"q\"\"\"", rows));
  train("names.csv");
  EXPECT_NEAR(nll(), expected, 1e-9) << "quotes in the header";
  ASSERT_EQ(run({"sample", path("run"), "-n", "50", "-o", path("s.csv")}).code, 0);
  EXPECT_THAT(read_bytes(folder_ / "s.csv"), StartsWith("\"x, of a\",\"y \"\"q\"\"\"\n"));
  EXPECT_EQ(scores("s.csv").size(0), 50);
}

}  // namespace
}  // namespace contraflow::testing
