#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace contraflow::testing {

/// A file or folder of the published data, which are no part of the project: below
/// CONTRAFLOW_SHARED_DATA, or below shared/data beside the checkout. It may be missing.
inline std::filesystem::path shared_data(const std::string& name) {
  const char* folder = std::getenv("CONTRAFLOW_SHARED_DATA");
  if (folder != nullptr) return std::filesystem::path(folder) / name;
  return std::filesystem::path(CONTRAFLOW_TEST_DATA) / "../../../shared/data" / name;
}

}  // namespace contraflow::testing

/// Skips the test where the published data are not there.
#define CONTRAFLOW_NEEDS_SHARED_DATA(name)                                         \
  do {                                                                             \
    std::error_code ignored;                                                       \
    if (!std::filesystem::exists(contraflow::testing::shared_data(name), ignored)) \
      GTEST_SKIP() << "no " << contraflow::testing::shared_data(name)              \
                   << ", published data that are no part of the project";          \
  } while (false)
