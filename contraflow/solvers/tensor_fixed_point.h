#pragma once

#include "contraflow/solvers/fixed_point.h"

namespace contraflow {

/// solve_fixed_point() as tensor operations on the device of `start`: nothing travels to the host
/// but, once in a few iterations, whether a row is still at work. What solve_fixed_point() calls
/// for large batches that are not on the CPU; it takes rows anywhere.
///
/// Rows that are done stay in the batch, and keep what they found: f is asked for all rows each time.
/// Same decisions as on the host, in float64; results differ by the order of sums.
Solution solve_fixed_point_on_tensors(const FixedPointMap& f, const at::Tensor& start,
                                      const LipschitzBound& contraction, double tolerance,
                                      const SolverOptions& options, double roundoff = 0.0);

}  // namespace contraflow
