#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "contraflow/core/error.h"

namespace contraflow::testing {

/// `call` throws an `E` whose text holds every one of `parts`.
template <class E, class Call>
void expect_error(Call&& call, const std::vector<std::string>& parts) {
  try {
    std::forward<Call>(call)();
    ADD_FAILURE() << "nothing was thrown; expected a text with " << ::testing::PrintToString(parts);
  } catch (const E& error) {
    for (const std::string& part : parts) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
    }
  }
}

}  // namespace contraflow::testing
