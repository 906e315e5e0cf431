#include "contraflow/core/safetensors.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "contraflow/core/error.h"
#include "tests/support/byte_damage.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::read_bytes;
using testing::TempFolder;
using testing::write_bytes;

std::string prefix(uint64_t length) {
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out;
}

SafetensorsFile sample_file() {
  SafetensorsFile file;
  const at::Tensor base = at::arange(12, at::kDouble).reshape({3, 4}) - 5.5;
  for (const auto& [name, dtype] : std::map<std::string, at::ScalarType>{{"f64", at::kDouble},
                                                                         {"f32", at::kFloat},
                                                                         {"f16", at::kHalf},
                                                                         {"bf16", at::kBFloat16},
                                                                         {"i64", at::kLong},
                                                                         {"i32", at::kInt},
                                                                         {"i16", at::kShort},
                                                                         {"i8", at::kChar}}) {
    file.tensors[name] = base.to(dtype);
  }
  file.tensors["u8"] = base.abs().to(at::kByte);
  file.tensors["bool"] = base.gt(0);
  file.tensors["scalar"] = at::scalar_tensor(3.25, at::kFloat);
  file.tensors["empty"] = at::empty({0, 3}, at::kFloat);
  file.tensors["transposed"] = base.t();
  file.tensors["Ünï \"quoted\""] = at::ones({1}, at::kFloat);
  file.metadata = {{"config", "{\"a\": 1}\n"}, {"note", "é"}};
  return file;
}

TEST(Safetensors, EveryTypeSurvives) {
  const TempFolder folder;
  const SafetensorsFile file = sample_file();
  write_safetensors(folder / "a.safetensors", file);
  const SafetensorsFile back = read_safetensors(folder / "a.safetensors");
  EXPECT_EQ(back.metadata, file.metadata);
  ASSERT_EQ(back.tensors.size(), file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    const at::Tensor& read = back.tensors.at(name);
    EXPECT_EQ(read.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(read, tensor)) << name;
  }
}

TEST(Safetensors, NothingAtAllSurvives) {
  const TempFolder folder;
  write_safetensors(folder / "a", {});
  EXPECT_EQ(read_bytes(folder / "a"), prefix(8) + "{}      ");
  EXPECT_TRUE(read_safetensors(folder / "a").tensors.empty());
}

// The layout of the public specification, byte by byte; the checksums are those of Python's zlib.crc32().
TEST(Safetensors, BytesAreThoseOfTheSpecification) {
  const TempFolder folder;
  write_safetensors(folder / "a", {.tensors = {{"b", at::ones({2}, at::kFloat)},
                                               {"a", at::full({1}, 7, at::kByte)}},
                                   .metadata = {{"k", "v"}}});
  std::string header =
      R"({"__metadata__":{"crc32":"b406716e b266b8c2 41528a79","k":"v"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  const std::string data("\0\0\x80\x3F\0\0\x80\x3F\x07", 9);
  EXPECT_EQ(read_bytes(folder / "a"), prefix(header.size()) + header + data);
}

TEST(Safetensors, EqualContentsGiveEqualBytes) {
  const TempFolder folder;
  write_safetensors(folder / "a", sample_file());
  write_safetensors(folder / "b", sample_file());
  EXPECT_TRUE(read_bytes(folder / "a") == read_bytes(folder / "b"));
}

TEST(Safetensors, HeaderAloneTellsTypesAndShapes) {
  const TempFolder folder;
  write_safetensors(folder / "a", sample_file());
  const SafetensorsHeader header = read_safetensors_header(folder / "a");
  EXPECT_EQ(header.entries.at("f16").dtype, at::kHalf);
  EXPECT_EQ(header.entries.at("f16").shape, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(header.entries.at("f16").bytes, 24);
  EXPECT_EQ(header.entries.at("f64").offset % 8, 0);
  EXPECT_EQ(header.metadata.at("note"), "é");
}

TEST(Safetensors, WhatTheFormatCannotHoldIsAnErrorAndWritesNothing) {
  const TempFolder folder;
  const auto write = [&](const SafetensorsFile& file) {
    return [&folder, file] { write_safetensors(folder / "a", file); };
  };
  EXPECT_THAT(error_of<DtypeError>(
                  write({.tensors = {{"c", at::zeros({1}, at::kComplexFloat)}}, .metadata = {}})),
              HasSubstr("[write_safetensors] c: expected one of F64"));
  EXPECT_THAT(error_of<DtypeError>(write({.tensors = {{"u", at::Tensor()}}, .metadata = {}})),
              HasSubstr("undefined"));
  EXPECT_THAT(
      error_of<ConfigError>(write({.tensors = {{"__metadata__", at::zeros({1})}}, .metadata = {}})),
      HasSubstr("another name"));
  EXPECT_THAT(error_of<ConfigError>(write({.tensors = {}, .metadata = {{"crc32", ""}}})),
              HasSubstr("another key"));
  EXPECT_THAT(error_of<ConfigError>(write({.tensors = {}, .metadata = {{"k", "\xFF"}}})),
              HasSubstr("UTF-8"));
  EXPECT_EQ(folder.count(), 0);
}

// ------------------------------------------------------------------- malformed, one test a class

class MalformedSafetensors : public ::testing::Test {
 protected:
  /// Text of the IoError for a file of exactly these bytes.
  std::string refusal(const std::string& bytes) {
    write_bytes(folder_ / "bad", bytes);
    const std::string text = error_of<IoError>([&] { read_safetensors(folder_ / "bad"); });
    EXPECT_THAT(text, HasSubstr((folder_ / "bad").string()));
    EXPECT_LT(text.size(), 500U);
    return text;
  }
  std::string refusal(const std::string& header, const std::string& data) {
    return refusal(prefix(header.size()) + header + data);
  }
  /// Header with one tensor.
  static std::string one(const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
    return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}}";
  }

  TempFolder folder_;
};

TEST_F(MalformedSafetensors, TheFixtureReadsAGoodFile) {
  const std::string header = one("F32", "[2]", "[0,8]");
  write_bytes(folder_ / "good", prefix(header.size()) + header + std::string(8, '\0'));
  EXPECT_EQ(read_safetensors(folder_ / "good").tensors.at("w").numel(), 2);
}

TEST_F(MalformedSafetensors, Missing) {
  EXPECT_THAT(error_of<IoError>([&] { read_safetensors(folder_ / "none"); }),
              HasSubstr("No such file or directory"));
}

TEST_F(MalformedSafetensors, Empty) {
  EXPECT_THAT(refusal(""), HasSubstr("expected at least 8 bytes, got 0"));
}

TEST_F(MalformedSafetensors, EveryTruncation) {
  write_safetensors(folder_ / "good",
                    {.tensors = {{"w", at::ones({3})}}, .metadata = {{"k", "v"}}});
  const std::string good = read_bytes(folder_ / "good");
  for (size_t size = 0; size < good.size(); ++size) refusal(good.substr(0, size));
}

SafetensorsFile damage_sample() {
  return {.tensors = {{"w", at::ones({3})},
                      {"b", at::ones({2}).gt(0)},
                      {"i", at::arange(4, at::kChar)},
                      {"none", at::empty({0})}},
          .metadata = {{"k", "v"}, {"config", R"({"rate": 0.25})"}}};
}

// The checksums leave no damage that changes what is read. What may change is white space of the
// header, and the name of the key that holds the checksums.
TEST_F(MalformedSafetensors, EveryDamagedByteIsRefusedOrChangesNothing) {
  const SafetensorsFile sample = damage_sample();
  int unchanged = 0, refused = 0;
  testing::for_each_damage(
      safetensors_to_bytes(sample), [&](const std::string& bytes, const std::string& what) {
        try {
          const SafetensorsFile back = safetensors_from_bytes(bytes);
          ++unchanged;
          ASSERT_EQ(back.tensors.size(), sample.tensors.size()) << what;
          for (const auto& [name, tensor] : sample.tensors) {
            EXPECT_TRUE(back.tensors.contains(name) && at::equal(back.tensors.at(name), tensor))
                << what << ", " << name;
          }
          for (const auto& [key, value] : sample.metadata) EXPECT_EQ(back.metadata.at(key), value);
        } catch (const IoError&) {
          ++refused;
        }
      });
  EXPECT_LT(unchanged, 200);
  EXPECT_GT(refused, 3000);
}

// Files of other programs have no checksums.
TEST_F(MalformedSafetensors, EveryDamagedByteIsRefusedOrReadWithoutChecksums) {
  const std::string header =
      R"({"__metadata__":{"k":"v"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"BOOL","shape":[1],"data_offsets":[8,9]}})";
  int read = 0;
  testing::for_each_damage(prefix(header.size()) + header + std::string(9, '\0'),
                           [&](const std::string& bytes, const std::string&) {
                             try {
                               safetensors_from_bytes(bytes);
                               ++read;
                             } catch (const IoError&) {  // any other exception fails the test
                             }
                           });
  EXPECT_GT(read, 50);
}

TEST_F(MalformedSafetensors, AWrongChecksumNamesTheTensor) {
  std::string bytes = safetensors_to_bytes({.tensors = {{"w", at::ones({3})}}, .metadata = {}});
  bytes.back() ^= 1;
  write_bytes(folder_ / "bad", bytes);
  EXPECT_THAT(error_of<IoError>([&] { read_safetensors(folder_ / "bad"); }),
              ::testing::AllOf(HasSubstr("w: expected checksum "), HasSubstr("damaged")));
  EXPECT_NO_THROW(read_safetensors_header(folder_ / "bad"));  // reads no data
}

TEST_F(MalformedSafetensors, ChecksumsThatAreNot) {
  const auto with = [](const std::string& text) {
    return R"({"__metadata__":{"crc32":")" + text +
           R"("},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  };
  EXPECT_THAT(refusal(with("00000000"), "x"), HasSubstr("crc32: expected 2 checksums"));
  for (const char* text : {"", "0", "00000000 0000000g", "00000000  00000000", "00000000 ABCDEF00",
                           "00000000 00000000 ", "00000000 00000000 00000000"}) {
    EXPECT_THAT(refusal(with(text), "x"), HasSubstr("crc32: expected 2 checksums"));
  }
  EXPECT_THAT(refusal(with("00000001 00000000"), "x"),
              HasSubstr("__metadata__: expected the text"));
  EXPECT_THAT(refusal(with("00000000 00000000"), "x"), HasSubstr("w: expected checksum 00000000"));
}

TEST_F(MalformedSafetensors, HeaderLongerThanTheFile) {
  EXPECT_THAT(refusal(prefix(100) + "{}"), HasSubstr("header length: expected 2 to 2, got 100"));
  EXPECT_THAT(refusal(prefix(~uint64_t{0}) + "{}"), HasSubstr("got 18446744073709551615"));
  EXPECT_THAT(refusal(prefix(0) + "{}"), HasSubstr("got 0"));
}

TEST_F(MalformedSafetensors, HeaderOverAHundredMegabytes) {
  write_bytes(folder_ / "bad", prefix(100'000'001));
  std::filesystem::resize_file(folder_ / "bad", 200'000'000);  // sparse
  EXPECT_THAT(error_of<IoError>([&] { read_safetensors(folder_ / "bad"); }),
              HasSubstr("expected 2 to 100000000, got 100000001"));
}

TEST_F(MalformedSafetensors, HeaderIsNotJson) {
  EXPECT_THAT(refusal("{not json}", ""), HasSubstr("header: expected valid JSON"));
  EXPECT_THAT(refusal("[]", ""), HasSubstr("header: expected a JSON object"));
  EXPECT_THAT(refusal("{\"\xFF\":1}", ""), HasSubstr("header: expected valid JSON"));
  EXPECT_THAT(refusal("{\"a\":" + std::string(100'000, '['), ""),
              HasSubstr("header: expected valid JSON"));
}

TEST_F(MalformedSafetensors, DuplicateKeys) {
  EXPECT_THAT(refusal(R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},)"
                      R"("w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                      ""),
              HasSubstr("the key 'w' twice"));
}

TEST_F(MalformedSafetensors, EntryIsNotAnObjectOrLacksKeys) {
  EXPECT_THAT(refusal(R"({"w":3})", ""), HasSubstr("w: expected an object, got 3"));
  EXPECT_THAT(refusal(R"({"w":{"dtype":"U8","shape":[0]}})", ""),
              HasSubstr("expected the key data_offsets"));
  EXPECT_THAT(refusal(R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}})", ""),
              HasSubstr("expected only dtype, shape and data_offsets, got 'x'"));
}

TEST_F(MalformedSafetensors, MetadataIsNotText) {
  EXPECT_THAT(refusal(R"({"__metadata__":{"k":1}})", ""),
              HasSubstr("__metadata__.k: expected text, got 1"));
  EXPECT_THAT(refusal(R"({"__metadata__":[]})", ""), HasSubstr("__metadata__: expected an object"));
}

TEST_F(MalformedSafetensors, UnknownDtype) {
  EXPECT_THAT(refusal(one("F128", "[1]", "[0,16]"), std::string(16, '\0')),
              HasSubstr("w.dtype: expected one of F64"));
  EXPECT_THAT(refusal(R"({"w":{"dtype":7,"shape":[0],"data_offsets":[0,0]}})", ""),
              HasSubstr("got 7"));
}

TEST_F(MalformedSafetensors, ShapesThatAreNot) {
  EXPECT_THAT(refusal(one("U8", "[-1]", "[0,1]"), "x"),
              HasSubstr("w.shape: expected an integer from 0"));
  EXPECT_THAT(refusal(one("U8", "[1.5]", "[0,1]"), "x"), HasSubstr("got 1.5"));
  EXPECT_THAT(refusal(one("U8", "7", "[0,1]"), "x"),
              HasSubstr("expected a list of integers, got 7"));
  EXPECT_THAT(refusal(one("U8", "[18446744073709551615]", "[0,1]"), "x"),
              HasSubstr("got 18446744073709551615"));
}

TEST_F(MalformedSafetensors, SizesThatOverflow) {
  EXPECT_THAT(refusal(one("F64", "[4294967296,4294967296]", "[0,0]"), ""),
              HasSubstr("below 2^63 bytes"));
  EXPECT_THAT(refusal(one("F32", "[9223372036854775807]", "[0,4]"), "1234"),
              HasSubstr("below 2^63 bytes"));
  EXPECT_THAT(refusal(one("F32", "[0,9223372036854775807]", "[0,0]"), ""),
              HasSubstr("below 2^63 bytes"));
}

TEST_F(MalformedSafetensors, SizeIsNotThatOfTheShape) {
  EXPECT_THAT(refusal(one("F32", "[2]", "[0,4]"), "1234"),
              HasSubstr("expected 8 bytes for shape [2], got 4"));
}

TEST_F(MalformedSafetensors, HugeTensorsAreRefusedWithoutAllocation) {
  EXPECT_THAT(refusal(one("U8", "[1000000000000]", "[0,1000000000000]"), "x"),
              HasSubstr("past the end of the file"));
}

TEST_F(MalformedSafetensors, OffsetsReversedOrNotTwo) {
  EXPECT_THAT(refusal(one("U8", "[1]", "[1,0]"), "x"), HasSubstr("begin <= end, got [1,0]"));
  EXPECT_THAT(refusal(one("U8", "[1]", "[0]"), "x"), HasSubstr("[begin, end]"));
  EXPECT_THAT(refusal(one("U8", "[1]", "[0,-1]"), "x"), HasSubstr("got -1"));
}

std::string two(const std::string& first, const std::string& second) {
  return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + first +
         R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + second + "}}";
}

TEST_F(MalformedSafetensors, TensorsOverlap) {
  EXPECT_THAT(refusal(two("[0,2]", "[1,3]"), "xyz"),
              HasSubstr("b.data_offsets: expected to begin at 2, got 1, an overlap"));
  EXPECT_THAT(refusal(two("[0,2]", "[0,2]"), "xy"), HasSubstr("an overlap"));
}

TEST_F(MalformedSafetensors, HolesInTheData) {
  EXPECT_THAT(refusal(two("[0,2]", "[3,5]"), "xyzuv"),
              HasSubstr("expected to begin at 2, got 3, a hole"));
  EXPECT_THAT(refusal(one("U8", "[1]", "[1,2]"), "xy"), HasSubstr("a hole"));
}

TEST_F(MalformedSafetensors, TrailingBytes) {
  EXPECT_THAT(refusal(one("U8", "[1]", "[0,1]"), "xy"), HasSubstr("as its header says"));
}

TEST_F(MalformedSafetensors, BoolsThatAreNeither) {
  EXPECT_THAT(refusal(one("BOOL", "[1]", "[0,1]"), "\x02"), HasSubstr("BOOL bytes 0 or 1"));
}

}  // namespace
}  // namespace contraflow
