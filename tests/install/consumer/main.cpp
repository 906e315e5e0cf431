// Draws numbers, checks a tensor, and expects the error of a bad call.
#include <ATen/ATen.h>

#include <iostream>

#include "contraflow/core/check.h"
#include "contraflow/core/error.h"
#include "contraflow/core/rng.h"

int main() {
  const at::Tensor x = contraflow::Rng(7).fork("consumer").normal({1000, 2}, at::kDouble);
  contraflow::check_event("consumer", "x", x, {2});
  const double mean = x.mean().item<double>();
  if (mean < -0.1 || mean > 0.1) {
    std::cerr << "mean of 2,000 normal numbers: expected about 0, got " << mean << "\n";
    return 1;
  }
  try {
    contraflow::check_event("consumer", "x", x, {3});
  } catch (const contraflow::ShapeError& error) {
    std::cout << "consumer: " << error.what() << "\n";
    return 0;
  }
  std::cerr << "check_event: expected a ShapeError, got none\n";
  return 1;
}
