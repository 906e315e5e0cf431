// The laws are tests of something: each covers as many cases as it should, and none is left out by a
// slip of its name.
#include "tests/laws/law_scope.h"

#include <algorithm>
#include <map>

namespace contraflow::laws {
namespace {

constexpr int kCases = 66;

/// The laws that this program holds, each with its number of cases.
std::map<std::string, int> registered_laws() {
  std::map<std::string, int> out;
  const ::testing::UnitTest& all = *::testing::UnitTest::GetInstance();
  for (int s = 0; s < all.total_test_suite_count(); ++s) {
    const ::testing::TestSuite& suite = *all.GetTestSuite(s);
    if (std::string(suite.name()) != "TransformLaw") continue;
    for (int k = 0; k < suite.total_test_count(); ++k) {
      const std::string name = suite.GetTestInfo(k)->name();
      ++out[name.substr(0, name.find('/'))];
    }
  }
  return out;
}

TEST(LawScopes, NameLawsThatExist) {
  const std::map<std::string, int> laws = registered_laws();
  EXPECT_GE(laws.size(), 30U);
  for (const LawScope& scope : law_scopes()) {
    EXPECT_TRUE(laws.contains(std::string(scope.law))) << scope.law;
  }
}

TEST(LawScopes, CoverAsManyCasesAsTheyShould) {
  const std::vector<LawCase> cases = all_cases();
  EXPECT_GE(static_cast<int>(cases.size()), kCases);
  for (const LawScope& scope : law_scopes()) {
    const auto covered = std::count_if(cases.begin(), cases.end(), scope.covers);
    EXPECT_GE(covered, scope.at_least) << scope.law;
  }
}

TEST(LawScopes, EveryCaseIsInEveryLaw) {
  for (const auto& [law, cases] : registered_laws()) {
    EXPECT_EQ(cases, static_cast<int>(all_cases().size())) << law;
  }
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(, TransformLaw, ::testing::ValuesIn(all_cases()),
                         [](const auto& test) { return test.param.name(); });

}  // namespace contraflow::laws
