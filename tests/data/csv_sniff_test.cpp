// What a CSV file looks like is found out from its first records, and said.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "contraflow/core/error.h"
#include "contraflow/data/csv.h"
#include "tests/data/expect_error.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using contraflow::testing::TempFolder;
using contraflow::testing::write_bytes;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

at::Tensor two_columns(std::vector<double> values) {
  return at::tensor(values, at::kDouble).reshape({-1, 2});
}

class Sniff : public ::testing::Test {
 protected:
  CsvReader open(const std::string& text, const FileOptions& options = {}) {
    write_bytes(path_, text);
    return CsvReader(path_, options);
  }
  // The file has columns a, b and rows 1.5, 2.5 and 3, 4.
  void expect_table(const std::string& text, CsvDelimiter delimiter, DecimalMark decimal) {
    SCOPED_TRACE(text);
    CsvReader reader = open(text);
    EXPECT_EQ(reader.format().delimiter, delimiter);
    EXPECT_EQ(reader.format().decimal, decimal);
    EXPECT_TRUE(reader.format().header);
    EXPECT_THAT(reader.columns(), ElementsAre("a", "b"));
    EXPECT_TRUE(read_all(reader).equal(two_columns({1.5, 2.5, 3, 4})));
  }

  TempFolder folder_;
  std::filesystem::path path_ = folder_ / "data.csv";
};

TEST_F(Sniff, DelimitersAndDecimals) {
  using enum CsvDelimiter;
  expect_table("a,b\n1.5,2.5\n3,4\n", kComma, DecimalMark::kPoint);
  expect_table("a;b\n1.5;2.5\n3;4\n", kSemicolon, DecimalMark::kPoint);
  expect_table("a;b\n1,5;2,5\n3;4\n", kSemicolon, DecimalMark::kComma);
  expect_table("a\tb\n1,5\t2,5\n3\t4\n", kTab, DecimalMark::kComma);
  expect_table("a b\n1.5 2.5\n3 4\n", kWhitespace, DecimalMark::kPoint);
  expect_table("  a    b \n 1.5\t2.5\n3   4", kWhitespace, DecimalMark::kPoint);
  expect_table("a,b\n1.5, 2.5\n3, 4\n", kComma, DecimalMark::kPoint);
}

TEST_F(Sniff, OnlyWhatIsUnusualIsSaid) {
  EXPECT_THAT(open("a,b\n1,2\n").notes(), IsEmpty());
  EXPECT_THAT(open("a;b\n1,5;2\n").notes(),
              ElementsAre("fields are separated by semicolons", "decimals have a comma"));
  EXPECT_THAT(open("1 2\n3 4\n").notes(), ElementsAre("fields are separated by spaces"));
  FileOptions options;
  options.delimiter = CsvDelimiter::kSemicolon;
  options.decimal = DecimalMark::kComma;
  EXPECT_THAT(open("a;b\n1,5;2\n", options).notes(), IsEmpty()) << "nothing was guessed";
}

TEST_F(Sniff, SpacesInTextSeparateNothing) {
  CsvReader reader = open("full name,x y\nJohn Smith,3\nJane Doe,4\n", {.columns = {"x y"}});
  EXPECT_TRUE(read_all(reader).equal(at::tensor({3.0, 4.0}, at::kDouble).unsqueeze(1)));
  EXPECT_THAT(open("my column\n1\n2\n").columns(), ElementsAre("my column"));
}

TEST_F(Sniff, DecimalCommasInOneColumn) {
  CsvReader reader = open("x\n1,5\n-2,5e1\n");
  EXPECT_TRUE(read_all(reader).equal(at::tensor({1.5, -25.0}, at::kDouble).unsqueeze(1)));
}

TEST_F(Sniff, RaggedRowsStayRagged) {
  CsvReader reader = open("a,b\n1,2\n3\n");
  expect_error<IoError>([&] { read_all(reader); }, {"line 3 (row 1)", "2 fields", "got 1"});
}

TEST_F(Sniff, CommentLinesNameTheColumns) {
  CsvReader savetxt = open("# a b\n1.0e+00 2.0e+00\n3.0e+00 4.0e+00\n");
  EXPECT_THAT(savetxt.columns(), ElementsAre("a", "b"));
  EXPECT_THAT(savetxt.notes(), Contains(HasSubstr("comment in line 1")));
  EXPECT_TRUE(read_all(savetxt).equal(two_columns({1, 2, 3, 4})));
  EXPECT_THAT(open("# made \" by hand\r\n# a,b\r\n1,2\r\n").columns(), ElementsAre("a", "b"));
  EXPECT_THAT(open("#,b\n1,2\n").columns(), ElementsAre("#", "b"));
  EXPECT_THAT(open("# some words here\n1,2\n").columns(), ElementsAre("column_0", "column_1"));
  EXPECT_THAT(open("# x y\na,b\n1,2\n").columns(), ElementsAre("a", "b"))
      << "a header stands below";
  CsvReader none = open("# a b\n1 2\n", {.header = CsvHeader::kNo});
  EXPECT_THAT(none.columns(), ElementsAre("column_0", "column_1"));
  EXPECT_THAT(open("# a b\n1 2\n", {.header = CsvHeader::kYes}).columns(), ElementsAre("a", "b"));
}

TEST_F(Sniff, LinesCountFromTheStartWithComments) {
  CsvReader reader = open("# one\n# two\na,b\n1,2\n3,x\n");
  expect_error<DomainError>([&] { read_all(reader); }, {"line 5 (row 1)", "'x'"});
}

TEST_F(Sniff, TrailingDelimiterInEveryLine) {
  CsvReader reader = open("a,b,\n1,2,\n3,4, \n");
  EXPECT_THAT(reader.columns(), ElementsAre("a", "b"));
  EXPECT_THAT(reader.notes(), Contains(HasSubstr("ends with a delimiter")));
  EXPECT_TRUE(read_all(reader).equal(two_columns({1, 2, 3, 4})));
  EXPECT_THAT(open("1;2;\n3;4;\n").columns(), ElementsAre("column_0", "column_1"));
  try {
    CsvReader bad = open("a,b\n1,2,\n3,4,\n");
    read_all(bad);
    ADD_FAILURE() << "a row with more fields than the header was read";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("ends with a delimiter"));
    EXPECT_THAT(error.what(), ::testing::Not(HasSubstr("cut off")));
  }
}

TEST_F(Sniff, HeaderThatCountsTheColumns) {
  CsvReader reader = open("0,1\n1.5,2\n3,4\n");
  EXPECT_THAT(reader.columns(), ElementsAre("0", "1"));
  EXPECT_THAT(reader.notes(), ElementsAre(HasSubstr("counts the columns")));
  EXPECT_EQ(read_all(reader).size(0), 2);
  EXPECT_THAT(open(",0,1\n0,1.5,2\n1,3,4\n").columns(), ElementsAre("column_0", "0", "1"));
  EXPECT_EQ(read_all(*open_rows(path_, {.columns = {"1"}, .header = CsvHeader::kNo})).size(0), 3);
  EXPECT_THAT(open("0\n0.5\n1.5\n").columns(), ElementsAre("0"));
  EXPECT_THAT(open("0\n1\n2\n").columns(), ElementsAre("column_0"))
      << "integers, of which 0 is one";
  EXPECT_THAT(open("0,2\n1,3\n").columns(), ElementsAre("column_0", "column_1"));
}

TEST_F(Sniff, ARowThatCountsTheColumnsAndComesAgainIsARow) {
  CsvReader reader = open("0,1\n1,1\n0,1\n0,0\n");
  EXPECT_THAT(reader.columns(), ElementsAre("column_0", "column_1"));
  EXPECT_THAT(reader.notes(), ElementsAre(HasSubstr("read as a row")));
  EXPECT_EQ(read_all(reader).size(0), 4);
}

TEST_F(Sniff, ALineThatNamesTheDelimiterIsFollowed) {
  CsvReader reader = open("sep=;\r\na;b\r\n1,5;2,5\r\n3;4\r\n");
  EXPECT_THAT(reader.columns(), ElementsAre("a", "b"));
  EXPECT_THAT(reader.notes(), Contains(HasSubstr("'sep=;', says")));
  EXPECT_TRUE(read_all(reader).equal(two_columns({1.5, 2.5, 3, 4})));
  CsvReader bad = open("\xEF\xBB\xBFsep=,\na,b\n1,2\n3,x\n");
  expect_error<DomainError>([&] { read_all(bad); }, {"line 4 (row 1)", "'x'"});
  EXPECT_THAT(open("sep=|\na,b\n1,2\n").notes(), ElementsAre(HasSubstr("not used")));
  EXPECT_THAT(open("sep=\n1\n2\n").columns(), ElementsAre("sep=")) << "a name like any other";
}

TEST_F(Sniff, TitlesAreNamed) {
  const std::string table = "a;b;c\n1,5;2;3\n4;5;6\n7;8;9\n";
  expect_error<IoError>([&] { open("Measurements of 2024\n" + table); },
                        {"line 1", "3 names or values", "'Measurements of 2024'", "title", "#"});
  expect_error<IoError>([&] { open("Station 5\n\nby hand, at noon\n" + table); },
                        {"line 1", "3 names or values, as after the first 2"});
  EXPECT_THAT(open("# Measurements of 2024\n" + table).columns(), ElementsAre("a", "b", "c"));
  expect_error<IoError>([&] { open("x,y\n1,0.5,2.5\n2,1.5,2\n3,0.25,1\n"); },
                        {"line 1", "3 names or values", "'x,y'", "row numbers"});
}

TEST_F(Sniff, UnitsBelowTheNamesAreNamed) {
  expect_error<IoError>([&] { open("v,t,kind\nm/s,K,\n1,2,red\n3,4,blue\n"); },
                        {"second line", "'m/s,K,'", "units", "missing_marks"});
}

TEST_F(Sniff, WordsInTheSecondLineAreNoUnitsWhereOthersFollow) {
  EXPECT_THAT(open("name,kind\nbob,red\nal,blue\ncy,red\n").columns(), ElementsAre("name", "kind"));
  EXPECT_THAT(open("x,y\nna,?\n1,2\n3,4\n", {.missing = {"?"}}).columns(), ElementsAre("x", "y"));
}

TEST_F(Sniff, WindowsCharactersAreThemselves) {
  EXPECT_THAT(open("price \x80,\x93x\x94 \x96 \xFC\n1,2\n").columns(),
              ElementsAre("price €", "“x” – ü"));
}

TEST_F(Sniff, Latin1BecomesUtf8) {
  CsvReader reader = open(
      "Temp \xB0"
      "C,id\n1,\xE4\n");
  EXPECT_THAT(reader.columns(), ElementsAre("Temp °C", "id"));
  EXPECT_EQ(reader.format().encoding, TextEncoding::kLatin1);
  EXPECT_THAT(reader.notes(), ElementsAre(HasSubstr("Latin-1")));
  expect_error<DomainError>([&] { read_all(reader); }, {"'ä'"});
  CsvReader utf8 = open("Temp °C,b\n1,2\n");
  EXPECT_THAT(utf8.columns(), ElementsAre("Temp °C", "b"));
  EXPECT_EQ(utf8.format().encoding, TextEncoding::kUtf8);
  FileOptions options;
  options.encoding = TextEncoding::kUtf8;
  expect_error<IoError>([&] { open("\xB0,b\n1,2\n", options); }, {"line 1", "UTF-8", "latin1"});
}

TEST_F(Sniff, Latin1AfterTheFirstBytesIsSaidToo) {
  std::string text = "x,id\n";
  while (text.size() < (size_t{2} << 20)) text += "1,a\n";
  CsvReader reader = open(text + "2,\xE4\n", {.columns = {"x"}, .keep = {"id"}});
  EXPECT_EQ(reader.format().encoding, TextEncoding::kUtf8);
  at::Tensor rows;
  std::string last;
  while ((rows = reader.next(100000)).size(0) > 0) last = reader.kept()[0].back();
  EXPECT_EQ(last, "ä");
  EXPECT_EQ(reader.format().encoding, TextEncoding::kLatin1);
  EXPECT_THAT(reader.notes(), ElementsAre(HasSubstr("read as Latin-1")));
}

TEST_F(Sniff, OtherFilesAreNamed) {
  expect_error<IoError>([&] { open(std::string("a\0,\0b\0\n\0", 8)); }, {"line 1", "UTF-16"});
  expect_error<IoError>([&] { open("\x1F\x8B\x08 compressed"); }, {"gzip", ".gz"});
  expect_error<IoError>([&] { open("PK\x03\x04 archive"); }, {"zip"});
}

TEST_F(Sniff, TheTrueCauseIsSaid) {
  CsvReader text = open("a,kind\n1,red\n2,blue\n3,red\n");
  expect_error<DomainError>([&] { read_all(text); }, {"'red'", "holds text", "category"});
  CsvReader flag = open("a,flag\n1,true\n2,false\n");
  expect_error<DomainError>([&] { read_all(flag); }, {"'true'", "boolean"});
  CsvReader comma = open("a;b\n1.5;2\n1,5;3\n");
  expect_error<DomainError>([&] { read_all(comma); }, {"'1,5'", "decimal = \"comma\""});
}

TEST_F(Sniff, EndingsInUpperCase) {
  path_ = folder_ / "DATA.CSV";
  write_bytes(path_, "a,b\n1,2\n");
  EXPECT_TRUE(read_all(*open_rows(path_)).equal(two_columns({1, 2})));
  EXPECT_TRUE(is_row_file("A.NPZ:x") && is_row_file("A.Npy.Gz") && is_text_file("a.TSV.GZ"));
  EXPECT_FALSE(is_row_file("a.gz") || is_row_file("csv") || is_row_file("a.csv.bz2"));
}

TEST_F(Sniff, ColumnsOfOneNameAreRefused) {
  expect_error<ConfigError>([&] { open("x,y,x\n1,2,3\n"); }, {"'x'", "columns 0 and 2"});
  expect_error<ConfigError>([&] { open("x,y,x\n1,2,3\n", {.columns = {"x"}}); },
                            {"several", "columns 0 and 2"});
  EXPECT_THAT(open("x,y,x\n1,2,3\n", {.columns = {"2", "y"}}).columns(), ElementsAre("x", "y"));
}

}  // namespace
}  // namespace contraflow::data
