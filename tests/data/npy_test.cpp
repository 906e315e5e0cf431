#include "contraflow/data/npy.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "tests/data/golden_npy.h"
#include "tests/support/npy.h"
#include "tests/support/temp_folder.h"

namespace contraflow::data {
namespace {

using contraflow::testing::read_bytes;
using contraflow::testing::read_npy;
using contraflow::testing::TempFolder;
using contraflow::testing::write_npy;
using ::testing::ElementsAre;
using ::testing::SizeIs;

at::Tensor table() {
  return at::arange(3, at::kDouble).unsqueeze(1) * 10.0 + at::arange(4, at::kDouble);
}

at::Tensor events() { return at::arange(24, at::kDouble).reshape({2, 3, 4}); }

at::Tensor in_chunks(RowReader& reader, int64_t rows) {
  std::vector<at::Tensor> parts;
  do {
    parts.push_back(reader.next(rows));
  } while (parts.back().size(0) > 0);
  return at::cat(parts);
}

TEST(Npy, EveryTypeByteOrderAndLayoutIsRead) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden_npy(""))) {
    if (!entry.path().filename().string().starts_with("good_")) continue;
    EXPECT_TRUE(read_npy(entry.path()).equal(table())) << entry.path();
    NpyReader reader(entry.path());
    EXPECT_TRUE(in_chunks(reader, 2).equal(table())) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 40);  // 9 wide types in 4 variants, 2 of one byte in 2
}

TEST(Npy, EveryFormatVersionIsRead) {
  for (const char* name : {"version_1.npy", "version_2.npy", "version_3.npy"}) {
    EXPECT_TRUE(read_npy(golden_npy(name)).equal(table())) << name;
  }
}

TEST(Npy, BoolsAreZeroAndOne) {
  EXPECT_TRUE(
      read_npy(golden_npy("bool.npy")).equal(table().remainder(2.0).eq(0.0).to(at::kDouble)));
}

TEST(Npy, HalfPrecisionIsExact) {
  const at::Tensor x = read_npy(golden_npy("half_special.npy"));
  EXPECT_EQ(x[0].item<double>(), 0x1p-23);  // the denormal nearest to 1e-7
  EXPECT_EQ(x[1].item<double>(), 65504.0);
  EXPECT_EQ(x[2].item<double>(), -0.5);
  EXPECT_TRUE(std::isinf(x[3].item<double>()));
}

TEST(Npy, EventsOfSeveralDimensionsKeepTheirShape) {
  for (const char* name : {"events_c.npy", "events_fortran.npy"}) {
    EXPECT_TRUE(read_npy(golden_npy(name)).equal(events())) << name;
    NpyReader reader(golden_npy(name));
    EXPECT_THAT(reader.event_shape(), ElementsAre(3, 4));
    EXPECT_THAT(reader.columns(), SizeIs(0));
    EXPECT_TRUE(in_chunks(reader, 1).equal(events())) << name;
  }
}

TEST(Npy, VectorIsRowsOfOneColumn) {
  NpyReader reader(golden_npy("vector.npy"));
  EXPECT_THAT(reader.event_shape(), ElementsAre(1));
  EXPECT_TRUE(reader.next(10).equal(at::tensor({1.5, -2.5, 1e300}, at::kDouble).unsqueeze(1)));
  EXPECT_EQ(reader.fraction_read(), 1.0);
  EXPECT_EQ(read_npy(golden_npy("vector.npy")).dim(), 1);
}

TEST(Npy, ScalarAndEmptyArraysHaveTheirShapes) {
  EXPECT_EQ(read_npy(golden_npy("scalar.npy")).item<double>(), 3.5);
  EXPECT_EQ(read_npy(golden_npy("scalar.npy")).dim(), 0);
  EXPECT_EQ(read_npy(golden_npy("empty.npy")).sizes(), at::IntArrayRef({0, 4}));
}

TEST(Npy, ColumnsAreChosenByNumber) {
  NpyReader reader(golden_npy("good_f4_little_c.npy"), {.columns = {"3", "column_0"}});
  EXPECT_THAT(reader.columns(), ElementsAre("column_3", "column_0"));
  EXPECT_TRUE(reader.next(10).equal(table().index_select(1, at::tensor({3, 0}, at::kLong))));
}

TEST(Npy, StreamedFileIsTheOneWrittenAtOnce) {
  const TempFolder folder;
  for (const auto type : {at::kFloat, at::kDouble, at::kLong}) {
    const at::Tensor rows = table().to(type);
    NpyWriter writer(folder / "streamed.npy", 4, type);
    writer.append(rows.narrow(0, 0, 1));
    writer.append(rows.narrow(0, 1, 2).to(at::kDouble));
    EXPECT_FALSE(std::filesystem::exists(folder / "streamed.npy"));
    writer.finish();
    write_npy(folder / "whole.npy", rows);
    EXPECT_EQ(read_bytes(folder / "streamed.npy"), read_bytes(folder / "whole.npy"));
    EXPECT_TRUE(read_npy(folder / "whole.npy").equal(table()));
    std::filesystem::remove(folder / "streamed.npy");
  }
  EXPECT_EQ(folder.count(), 1) << "no temporary file stays";
}

TEST(Npy, WrittenFilesAreNumpysOwn) {
  const TempFolder folder;
  write_npy(folder / "table.npy", table());
  EXPECT_EQ(read_bytes(folder / "table.npy"), read_bytes(golden_npy("good_f8_little_c.npy")));
  write_npy(folder / "vector.npy", at::tensor({1.5, -2.5, 1e300}, at::kDouble));
  EXPECT_EQ(read_bytes(folder / "vector.npy"), read_bytes(golden_npy("vector.npy")));
  write_npy(folder / "events.npy", events().transpose(1, 2).contiguous().transpose(1, 2));
  EXPECT_EQ(read_bytes(folder / "events.npy"), read_bytes(golden_npy("events_c.npy")));
}

TEST(Npy, KeptTypesHoldTheSameValues) {
  std::set<at::ScalarType> types;
  for (const auto& entry : std::filesystem::directory_iterator(golden_npy(""))) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("good_") && !name.starts_with("events_")) continue;
    const NpyFile file(entry.path());
    const at::Tensor kept = file.read(0, file.rows(), file.kept_type());
    EXPECT_EQ(kept.scalar_type(), file.kept_type());
    EXPECT_LE(kept.element_size(), 8);
    EXPECT_TRUE(kept.to(at::kDouble).equal(read_npy(entry.path()))) << name;
    NpyReader reader(entry.path(), {.keep_type = true});
    EXPECT_TRUE(in_chunks(reader, 2).equal(kept)) << name;
    types.insert(kept.scalar_type());
  }
  EXPECT_EQ(types, (std::set<at::ScalarType>{at::kByte, at::kChar, at::kShort, at::kInt, at::kFloat,
                                             at::kDouble}));
  EXPECT_EQ(NpyFile(golden_npy("bool.npy")).kept_type(), at::kByte);
  EXPECT_EQ(NpyFile(golden_npy("half_special.npy")).kept_type(), at::kFloat);
}

TEST(Npy, ReadersAndWritersAreChosenByExtension) {
  const TempFolder folder;
  for (const char* name : {"rows.npy", "rows.csv", "rows.txt"}) {
    const auto writer = create_rows(folder / name, {"a", "b", "c", "d"}, at::kDouble);
    writer->append(table());
    writer->finish();
    EXPECT_TRUE(read_all(*open_rows(folder / name)).equal(table())) << name;
  }
}

}  // namespace
}  // namespace contraflow::data
