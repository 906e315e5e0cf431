// Structured arrays: fields are columns.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "contraflow/core/error.h"
#include "contraflow/data/npy.h"
#include "tests/data/expect_error.h"
#include "tests/data/golden_npy.h"

namespace contraflow::data {
namespace {

using contraflow::testing::expect_error;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

at::Tensor values_of(std::vector<double> values, int64_t columns) {
  return at::tensor(values, at::kDouble).reshape({-1, columns});
}

TEST(StructuredNpy, NumbersAreColumnsAndOthersAreLeftOut) {
  NpyReader reader(golden_npy("records.npy"));
  EXPECT_THAT(reader.columns(), ElementsAre("x", "k", "odd", "n"));
  EXPECT_THAT(reader.numbers(), ElementsAre(0, 1, 3, 5));
  EXPECT_THAT(reader.notes(), ElementsAre(AllOf(HasSubstr("tag (|S2)"), HasSubstr("pair"))));
  EXPECT_TRUE(read_all(reader).equal(values_of({0.5, 0, 0, 7, 1.5, -1, 1, 8, 2.5, -2, 0, 9}, 4)));
}

TEST(StructuredNpy, FieldsAreChosenByNameAndKept) {
  NpyReader reader(golden_npy("records.npy"), {.columns = {"n", "x"}, .keep = {"odd"}});
  EXPECT_TRUE(reader.next(2).equal(values_of({7, 0.5, 8, 1.5}, 2)));
  EXPECT_THAT(reader.kept(), ElementsAre(ElementsAre("0", "1")));
  EXPECT_TRUE(reader.next(2).equal(values_of({9, 2.5}, 2)));
}

TEST(StructuredNpy, FieldsWithoutNumbersAreErrorsWhenSelected) {
  expect_error<ConfigError>([] { NpyReader r(golden_npy("records.npy"), {.columns = {"tag"}}); },
                            {"'tag'", "|S2"});
  expect_error<ConfigError>([] { NpyReader r(golden_npy("records.npy"), {.columns = {"4"}}); },
                            {"'pair'", "several values"});
  expect_error<IoError>([] { NpyReader r(golden_npy("records_text.npy")); }, {"s (<U3)"});
}

TEST(StructuredNpy, PaddingAndNestedRecordsArePassedOver) {
  NpyReader padded(golden_npy("records_padded.npy"));
  EXPECT_THAT(padded.columns(), ElementsAre("f0", "f1"));
  EXPECT_THAT(padded.notes(), IsEmpty());
  EXPECT_TRUE(read_all(padded).equal(values_of({1, 2.5, 3, 4.5}, 2)));
  NpyReader nested(golden_npy("records_nested.npy"));
  EXPECT_THAT(nested.columns(), ElementsAre("z"));
  EXPECT_TRUE(read_all(nested).equal(values_of({3}, 1)));
}

TEST(StructuredNpy, LargeIntegersInOtherColumnsDoNotMatter) {
  for (const char* name : {"large_beside.npy", "large_beside_fortran.npy"}) {
    NpyReader reader(golden_npy(name), {.columns = {"0"}});
    EXPECT_TRUE(read_all(reader).equal(values_of({1, 2}, 1))) << name;
    NpyReader large(golden_npy(name), {.columns = {"1"}});
    expect_error<DomainError>([&] { read_all(large); }, {name, "row 0, column_1", "2^53"});
  }
}

TEST(StructuredNpy, HeadersOfHostileRecords) {
  const auto expect = [](const std::string& descr) {
    const std::string text = "{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,), }";
    expect_error<IoError>([&] { parse_npy_header(text, "bad.npy"); }, {"bad.npy"});
  };
  for (const char* descr :
       {"[]", "[('a', '<f8')", "[('a')]", "[('a', '<f8'", "[('a', '|O')]",
        "[('a', '<S99999999999')]", "[('a', '<f8', (999999999, 999999999))]", "[('a', 'f8')]",
        "[('a', '<q8')]", "['<f8']", "[('a', [('b', '|O')])]", "[('a', '<f8', 3)]"}) {
    SCOPED_TRACE(descr);
    expect(descr);
  }
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "[('a', ";
  expect(deep);
}

}  // namespace
}  // namespace contraflow::data
