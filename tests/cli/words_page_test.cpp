// docs/words.md names keys and defaults: each of them is one of the program's.
#include <fstream>
#include <regex>
#include <sstream>

#include "tests/cli/program.h"

namespace contraflow::testing {
namespace {

/// What stands between backticks in the page.
std::vector<std::string> quoted_words() {
  std::ifstream file(std::string(CONTRAFLOW_TEST_DATA) + "/../../docs/words.md");
  std::stringstream text;
  text << file.rdbuf();
  const std::string page = text.str();
  const std::regex quoted("`([^`]+)`");
  std::vector<std::string> out;
  for (std::sregex_iterator it(page.begin(), page.end(), quoted), end; it != end; ++it)
    out.push_back((*it)[1]);
  return out;
}

TEST(WordsPage, NamesKeysAndDefaultsThatThereAre) {
  const std::string help = run({"train", "--help-all"}).out;
  int64_t keys = 0;
  for (const std::string& word : quoted_words()) {
    if (!std::regex_search(word, std::regex("^(data|model|training)\\."))) continue;
    ++keys;
    const std::string line = "\n  " + word + (word.find('=') == std::string::npos ? " = " : "  (");
    EXPECT_NE(help.find(line), std::string::npos) << word;
  }
  EXPECT_GT(keys, 40) << "the page has keys";
}

TEST(WordsPage, NamesOptionsThatThereAre) {
  for (const std::string& word : quoted_words()) {
    const size_t space = word.find(" --");
    if (space == std::string::npos || word.starts_with("contraflow")) continue;
    const std::string command = word.substr(0, space), option = word.substr(space + 1);
    EXPECT_THAT(run({command, "--help"}).out, ::testing::HasSubstr(option)) << word;
  }
}

}  // namespace
}  // namespace contraflow::testing
