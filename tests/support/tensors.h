#pragma once

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "contraflow/core/error.h"

namespace contraflow::testing {

/// Rounding of numbers of size 1 in float64 over some hundred operations.
inline constexpr double kRounding = 1e-12;

/// Same shape, and |a - b| <= tolerance * max(1, |b|) everywhere; the message says where it is
/// worst. Infinities must be equal; NaN never passes.
inline ::testing::AssertionResult near(const at::Tensor& a, const at::Tensor& b, double tolerance) {
  if (!a.defined() || !b.defined()) return ::testing::AssertionFailure() << "a tensor is undefined";
  if (a.sizes() != b.sizes()) {
    return ::testing::AssertionFailure() << "shapes " << a.sizes() << " and " << b.sizes();
  }
  if (a.numel() == 0) return ::testing::AssertionSuccess();
  const at::Tensor x = a.detach().to(at::kDouble).flatten();
  const at::Tensor y = b.detach().to(at::kDouble).flatten();
  const at::Tensor gap =
      at::where(x.eq(y), at::zeros_like(x), (x - y).abs() / y.abs().clamp_min(1.0));
  const at::Tensor bad = gap.le(tolerance).logical_not();
  if (!bad.any().item<bool>()) return ::testing::AssertionSuccess();
  const int64_t worst = at::nan_to_num(gap, 1e300, 1e300, 1e300).argmax().item<int64_t>();
  return ::testing::AssertionFailure()
         << bad.sum().item<int64_t>() << " of " << bad.numel() << " differ; worst at flat index "
         << worst << ": " << x[worst].item<double>() << " against " << y[worst].item<double>()
         << ", tolerance " << tolerance;
}

/// Runs `call`, expects error E, returns its text.
template <class E, class Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another error: " << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

}  // namespace contraflow::testing
