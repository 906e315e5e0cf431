#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/training/state.h"

namespace contraflow::testing {

/// The same names, and equal bits under each.
inline ::testing::AssertionResult same_bits(const NamedTensors& a, const NamedTensors& b) {
  if (a.size() != b.size())
    return ::testing::AssertionFailure() << a.size() << " and " << b.size() << " tensors";
  for (const auto& [name, tensor] : a) {
    const auto other = b.find(name);
    if (other == b.end()) return ::testing::AssertionFailure() << "no " << name;
    if (!at::equal(tensor, other->second))
      return ::testing::AssertionFailure() << name << " differs";
  }
  return ::testing::AssertionSuccess();
}

}  // namespace contraflow::testing
