#pragma once

#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/options_constraint.h"
#include "contraflow/training/flat_parameters.h"

namespace contraflow {

/// Parameters that do not learn, or not from the first step on.
struct FreezeOptions {
  /// Words; a parameter is meant when its dotted name contains one of them. None = all learn.
  std::vector<std::string> parameters = {};
  /// The steps during which they keep the values that they began with; 0 = the whole run.
  int64_t steps = 0;
};

template <class Field>
void visit(FreezeOptions& o, Field&& field) {
  field("parameters", o.parameters,
        "Parameters that do not learn: parts of their names, such as raw_concatenation.");
  field("steps", o.steps, at_least(0), "Steps after which they learn too; 0 = never.");
}

/// Puts parameters back to the values that they began with, after each step of the optimizer.
///
/// Moments    the optimizer's go on meanwhile, so that the first step that counts has a usual size.
/// Cost       a copy of the frozen numbers each step.
/// Throws     ConfigError (a word that no parameter's name contains; steps without words).
/// Source     Monotone Flows' code, which resets the weights of concatenations in early epochs.
class CF_EXPORT FrozenParameters {
 public:
  FrozenParameters(const FlatParameters& parameters, const FreezeOptions& options);

  /// The parameters as they are now are what they are put back to.
  void hold();
  /// After step `step`, counted from 1.
  void put_back(int64_t step) const;
  /// Numbers that are frozen at first.
  int64_t count() const;

 private:
  std::vector<at::Tensor> parameters_, held_;
  int64_t steps_;
};

}  // namespace contraflow
