// Files compressed by gzip: read, written, cut off and damaged.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "contraflow/core/error.h"
#include "contraflow/data/byte_sink.h"
#include "contraflow/data/csv.h"
#include "contraflow/data/npy.h"
#include "tests/data/expect_error.h"
#include "tests/data/golden_npy.h"
#include "tests/support/npy.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using contraflow::testing::read_bytes;
using contraflow::testing::TempFolder;
using contraflow::testing::write_bytes;
using ::testing::ElementsAre;

class Gzip : public ::testing::Test {
 protected:
  std::string compressed(const std::string& bytes) {
    const auto sink = create_bytes(folder_ / "made.gz", Compression::kGzip);
    sink->write(bytes);
    sink->commit();
    return read_bytes(folder_ / "made.gz");
  }
  at::Tensor read(const std::string& name, const std::string& bytes,
                  const FileOptions& options = {}) {
    write_bytes(folder_ / name, bytes);
    return read_all(*open_rows(folder_ / name, options));
  }

  TempFolder folder_;
  at::Tensor rows_ = at::tensor({1.0, 2.0, 3.0, 4.0}, at::kDouble).reshape({2, 2});
};

TEST_F(Gzip, TextIsRead) {
  const std::string bytes = compressed("a,b\n1,2\n3,4\n");
  EXPECT_TRUE(read("a.csv.gz", bytes).equal(rows_));
  EXPECT_TRUE(read("A.TXT.GZ", bytes).equal(rows_));
  EXPECT_TRUE(read("a.tsv.gz", compressed("a\tb\n1\t2\n3\t4\n")).equal(rows_));
  EXPECT_EQ(open_rows(folder_ / "a.csv.gz")->format().compression, Compression::kGzip);
}

TEST_F(Gzip, MembersFollowEachOther) {
  const std::string first = compressed("a,b\n1,");
  const std::string second = compressed("2\n3,4\n");
  EXPECT_TRUE(read("a.csv.gz", first + second).equal(rows_));
  EXPECT_TRUE(
      read("a.csv.gz", first + compressed("") + second + std::string(300, '\0')).equal(rows_));
}

TEST_F(Gzip, CutOffAnywhereIsAnError) {
  const std::string whole = compressed("a,b\n1,2\n3,4\n");
  for (size_t size = 0; size < whole.size(); ++size) {
    expect_error<IoError>([&] { read("a.csv.gz", whole.substr(0, size)); }, {"a.csv.gz"});
  }
  expect_error<IoError>([&] { read("a.csv.gz", whole.substr(0, whole.size() - 1)); }, {"cut off"});
  expect_error<IoError>([&] { read("a.csv.gz", whole + "and more"); }, {"damaged"});
  std::string bad = whole;
  bad[bad.size() - 5] ^= 1;  // in the checksum
  expect_error<IoError>([&] { read("a.csv.gz", bad); }, {"data check"});
  expect_error<IoError>([&] { read("a.csv.gz", "a,b\n1,2\n"); }, {"compressed by gzip"});
}

TEST_F(Gzip, FractionIsThatOfTheStoredBytes) {
  std::string text = "a,b\n";
  for (int i = 0; i < 400000; ++i) text += std::to_string(i) + "," + std::to_string(i * 37) + "\n";
  write_bytes(folder_ / "a.csv.gz", compressed(text));
  const auto reader = open_rows(folder_ / "a.csv.gz");
  double before = 0.0;
  int64_t rows = 0;
  bool within = false;
  while (const int64_t count = reader->next(10000).size(0)) {
    rows += count;
    EXPECT_GE(reader->fraction_read(), before - 0.2) << "the buffers' share is an estimate";
    before = reader->fraction_read();
    within = within || (before > 0.3 && before < 0.7);
  }
  EXPECT_EQ(rows, 400000);
  EXPECT_EQ(before, 1.0);
  EXPECT_TRUE(within);
}

TEST_F(Gzip, WrittenTextIsReadBack) {
  for (const char* name : {"out.csv.gz", "out.tsv.gz"}) {
    const auto writer = create_rows(folder_ / name, {"a", "b"}, at::kDouble);
    writer->append(rows_.narrow(0, 0, 1));
    writer->append(rows_.narrow(0, 1, 1));
    EXPECT_FALSE(std::filesystem::exists(folder_ / name));
    writer->finish();
    EXPECT_TRUE(read_bytes(folder_ / name).starts_with("\x1F\x8B"));
    EXPECT_TRUE(read_all(*open_rows(folder_ / name)).equal(rows_)) << name;
  }
  expect_error<ConfigError>([&] { create_rows(folder_ / "a.npy.gz", {"a"}, at::kDouble); },
                            {"a compressed array", ".npy"});
}

TEST_F(Gzip, ArraysAreRead) {
  for (const char* name : {"good_f8_little_c.npy", "good_i2_big_fortran.npy", "vector.npy",
                           "events_c.npy", "events_fortran.npy", "records.npy"}) {
    const at::Tensor plain = read_all(*open_rows(golden_npy(name)));
    write_bytes(folder_ / "a.npy.gz", compressed(read_bytes(golden_npy(name))));
    const auto reader = open_rows(folder_ / "a.npy.gz");
    std::vector<at::Tensor> parts;
    do {
      parts.push_back(reader->next(1));
    } while (parts.back().size(0) > 0);
    EXPECT_TRUE(at::cat(parts).equal(plain)) << name;
  }
}

TEST_F(Gzip, ArraysOfAnotherSizeThanTheySay) {
  const std::string whole = read_bytes(golden_npy("good_f8_little_c.npy"));
  for (const char* order : {"False", "True "}) {
    std::string bytes = whole;
    bytes.replace(bytes.find("False"), 5, order);
    expect_error<IoError>([&] { read("a.npy.gz", compressed(bytes.substr(0, bytes.size() - 1))); },
                          {"a.npy.gz", "cut off"});
    expect_error<IoError>([&] { read("a.npy.gz", compressed(bytes.substr(0, 50))); }, {"a.npy.gz"});
  }
  expect_error<IoError>([&] { read("a.npy.gz", compressed(whole + "x")); }, {"extra bytes"});
}

TEST_F(Gzip, SizesOutOfAllProportionTakeNoMemory) {
  std::string bytes = read_bytes(golden_npy("good_f8_little_c.npy"));
  const auto with_shape = [&](const std::string& shape) {
    std::string out = bytes;
    const size_t at = out.find("(3, 4), }");
    out.replace(at, shape.size() + 3, shape + ", }");
    return compressed(out);
  };
  expect_error<IoError>([&] { read("a.npy.gz", with_shape("(99999999999, 9)")); },
                        {"a.npy.gz", "cut off"});
  expect_error<IoError>([&] { read("a.npy.gz", with_shape("(3, 9999999999)")); },
                        {"rows of at most", "compressed"});
}

}  // namespace
}  // namespace contraflow::data
