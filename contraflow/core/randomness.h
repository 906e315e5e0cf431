#pragma once

#include <algorithm>

namespace contraflow {

/// Which of the two visible estimator options applies; nothing else may depend on it.
enum class Phase { kTrain, kEvaluate };

/// What random numbers do to a log-density. Ordered: a composite is as its worst member.
enum class Randomness {
  kNone,      ///< Every call gives the same number.
  kUnbiased,  ///< Calls differ; their expectation is the number that is meant.
  kBiased,    ///< Calls may differ, and the expectation is off by at most log_det_bias_bound.
};

inline Randomness worst(Randomness a, Randomness b) { return std::max(a, b); }

}  // namespace contraflow
