#include "contraflow/data/csv.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "contraflow/core/error.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::read_bytes;
using contraflow::testing::TempFolder;
using contraflow::testing::write_bytes;
using ::testing::ElementsAre;

at::Tensor matrix(std::vector<double> values, int64_t columns) {
  return at::tensor(values, at::kDouble).reshape({-1, columns});
}

class Csv : public ::testing::Test {
 protected:
  CsvReader open(const std::string& text, const FileOptions& options = {}) {
    write_bytes(path_, text);
    return CsvReader(path_, options);
  }
  at::Tensor read(const std::string& text, const FileOptions& options = {}) {
    CsvReader reader = open(text, options);
    return read_all(reader);
  }

  TempFolder folder_;
  std::filesystem::path path_ = folder_ / "data.csv";
};

TEST_F(Csv, HeaderIsRecognised) {
  CsvReader reader = open("a,b\n1,2\n3,4\n");
  EXPECT_THAT(reader.columns(), ElementsAre("a", "b"));
  EXPECT_TRUE(read_all(reader).equal(matrix({1, 2, 3, 4}, 2)));
}

TEST_F(Csv, RowsWithoutAHeaderAreData) {
  CsvReader reader = open("1,2\n3,4\n");
  EXPECT_THAT(reader.columns(), ElementsAre("column_0", "column_1"));
  EXPECT_TRUE(read_all(reader).equal(matrix({1, 2, 3, 4}, 2)));
}

TEST_F(Csv, HeaderOfNumbersIsReadWhenForced) {
  FileOptions options;
  options.header = CsvHeader::kYes;
  CsvReader reader = open("10,20\n3,4\n", options);
  EXPECT_THAT(reader.columns(), ElementsAre("10", "20"));
  EXPECT_TRUE(read_all(reader).equal(matrix({3, 4}, 2)));
}

TEST_F(Csv, LineEndsByteOrderMarkAndSpacesDoNotMatter) {
  const at::Tensor expected = matrix({1, 2, 3, 4}, 2);
  EXPECT_TRUE(read("a,b\r\n1,2\r\n3,4\r\n").equal(expected));
  EXPECT_TRUE(read("a,b\n1,2\n3,4").equal(expected)) << "last line without an end";
  EXPECT_TRUE(read("\xEF\xBB\xBF"
                   "1,2\n3,4\n")
                  .equal(expected))
      << "byte order mark";
  EXPECT_TRUE(read("a,b\n1,2\n3,4\n\n \n\r\n").equal(expected)) << "blank lines at the end";
  EXPECT_TRUE(read("a,b\n 1 ,\t2\n3  ,  4\n").equal(expected)) << "spaces around numbers";
}

TEST_F(Csv, QuotesFollowTheRfc) {
  CsvReader reader =
      open("\"x, \"\"left\"\"\",note,y\n\"1\",\"two\nlines, \"\"and\"\" more\",2\n3,,4\n",
           {.columns = {"y", "x, \"left\""}});
  EXPECT_THAT(reader.columns(), ElementsAre("y", "x, \"left\""));
  EXPECT_TRUE(read_all(reader).equal(matrix({2, 1, 4, 3}, 2)));
}

TEST_F(Csv, DelimiterIsAnOption) {
  FileOptions options;
  options.delimiter = CsvDelimiter::kSemicolon;
  EXPECT_TRUE(read("a;b\n1;2\n", options).equal(matrix({1, 2}, 2)));
  options.delimiter = CsvDelimiter::kTab;
  EXPECT_TRUE(read("a\tb\n1\t 2\n", options).equal(matrix({1, 2}, 2)));
  path_ = folder_ / "data.tsv";
  EXPECT_TRUE(read("a\tb\n1\t2\n").equal(matrix({1, 2}, 2))) << "by the file's name";
}

TEST_F(Csv, ColumnsAreChosenByNameOrNumber) {
  const std::string text = "id,a,b,c\nx,1,2,3\ny,4,5,6\n";
  EXPECT_TRUE(read(text, {.columns = {"c", "a"}}).equal(matrix({3, 1, 6, 4}, 2)));
  EXPECT_TRUE(read(text, {.columns = {"1", "-1"}}).equal(matrix({1, 3, 4, 6}, 2)));
  EXPECT_TRUE(read("2,1\n5,6\n", {.columns = {"1"}}).equal(matrix({1, 6}, 1))) << "no header";
}

TEST_F(Csv, NumbersAreReadExactly) {
  const at::Tensor got =
      read("a\n+1.5\n-.5\n1e300\n0.1\n-0\n1e-400\n-1e-99999\n4.9e-324\n9007199254740993\n");
  const double smallest = std::numeric_limits<double>::denorm_min();
  const at::Tensor expected =
      matrix({1.5, -0.5, 1e300, 0.1, -0.0, 0.0, -0.0, smallest, 9007199254740992.0}, 1);
  EXPECT_TRUE(got.equal(expected)) << got;
}

TEST_F(Csv, ChunksJoinToTheWhole) {
  std::string text = "a,b\n";
  for (int i = 0; i < 1000; ++i) text += std::to_string(i) + "," + std::to_string(-i) + ".25\n";
  const at::Tensor whole = read(text);
  CsvReader reader = open(text);
  std::vector<at::Tensor> parts;
  double before = -1.0;
  while (parts.empty() || parts.back().size(0) > 0) {
    parts.push_back(reader.next(7));
    EXPECT_LE(parts.back().size(0), 7);
    EXPECT_GE(reader.fraction_read(), before);
    before = reader.fraction_read();
  }
  EXPECT_EQ(before, 1.0);
  EXPECT_TRUE(at::cat(parts).equal(whole));
  EXPECT_EQ(reader.next(7).size(0), 0) << "the end stays the end";
}

TEST_F(Csv, RecordsMayStraddleTheBuffer) {
  std::string text = "n,a\n";  // four buffers of 1 MiB, with records of many lengths
  int64_t rows = 0;
  while (text.size() < (size_t{4} << 20)) {
    text += '"';
    text.append(static_cast<size_t>(rows * 37 % 5000), 'x');
    text += "\n\",";
    text += std::to_string(rows);
    text += '\n';
    ++rows;
  }
  const at::Tensor got = read(text, {.columns = {"a"}});
  EXPECT_TRUE(got.squeeze(1).equal(at::arange(rows, at::kDouble)));
}

TEST_F(Csv, RecordLongerThanTheBufferIsRead) {
  const std::string text = "n,a\n" + std::string(size_t{3} << 20, 'x') + ",5\ny,6\n";
  EXPECT_TRUE(read(text, {.columns = {"a"}}).equal(matrix({5, 6}, 1)));
}

TEST_F(Csv, WrittenNumbersReadBackTheSame) {
  const at::Tensor values = matrix({0.1, 1.0 / 3.0, -1e-310, 1e300, -0.0, 12345678.9}, 2);
  CsvWriter writer(path_, {"a", "b, \"c\""});
  writer.append(values.narrow(0, 0, 1));
  writer.append(values.narrow(0, 1, 2));
  EXPECT_FALSE(std::filesystem::exists(path_)) << "a file that is not finished is not there";
  writer.finish();
  CsvReader reader(path_);
  EXPECT_THAT(reader.columns(), ElementsAre("a", "b, \"c\""));
  EXPECT_TRUE(read_all(reader).equal(values));
}

TEST_F(Csv, EachTypeIsWrittenWithItsOwnDigits) {
  CsvWriter writer(path_, {"a", "b"});
  writer.append(at::tensor({0.1F, 2.0F}, at::kFloat).unsqueeze(0));
  writer.append(at::tensor({0.1, 2.5}, at::kDouble).unsqueeze(0));
  writer.append(at::tensor({7, -8}, at::kLong).unsqueeze(0));
  writer.finish();
  EXPECT_EQ(read_bytes(path_), "a,b\n0.1,2\n0.1,2.5\n7,-8\n");
}

TEST_F(Csv, AbandonedWriterLeavesTheOldFile) {
  write_bytes(path_, "old");
  { CsvWriter(path_, {"a"}).append(at::ones({5, 1})); }
  EXPECT_EQ(read_bytes(path_), "old");
  EXPECT_EQ(folder_.count(), 1) << "no temporary file stays";
}

}  // namespace
}  // namespace contraflow::data
