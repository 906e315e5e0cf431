#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "contraflow/data/dataset.h"

namespace contraflow {

/// How finely the marginal curve of each column of a table pays, judged on the validation rows.
struct MarginalChoice {
  std::vector<int64_t> knots;  ///< One per column; empty where there is no table or no validation.
  std::vector<std::string> notes;  ///< A line each, for the user.
  int64_t rows = 0;                ///< Training rows that the curves are fitted to.
};

/// Random     the noise of steps from the data's seed.
/// Cost       a sort of each column, and for each number of knots a pass over the validation rows; at
///            most 100,000 rows to fit and 20,000 to judge.
MarginalChoice choose_marginals(const data::Dataset& dataset, int64_t seed);

}  // namespace contraflow
