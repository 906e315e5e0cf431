#pragma once

#include <ATen/ATen.h>

#include <limits>
#include <optional>

namespace contraflow {

/// Bound [b] on the error of a map's value for one of its input; undefined bounds say that there is
/// none. `lipschitz` gives an optional constant by which the map may enlarge an error; it is called
/// only when there is one to carry. Where it is not known the bound is infinite.
template <class Lipschitz>
at::Tensor carried_error(const at::Tensor& bound_b, Lipschitz lipschitz) {
  if (!bound_b.defined()) return bound_b;
  const std::optional<double> factor = lipschitz();
  // An exact input stays exact through a map of unknown constant: 0 times infinity is 0 here.
  return at::where(bound_b.eq(0), bound_b,
                   bound_b * factor.value_or(std::numeric_limits<double>::infinity()));
}

}  // namespace contraflow
