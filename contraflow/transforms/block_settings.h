#pragma once

#include "contraflow/core/options_constraint.h"

/// The settings that contractive blocks, the models made of them and other users of blocks have in common:
///   train_log_det, eval_log_det  estimators of the log-determinant: while training, and otherwise
///   solver                       the fixed-point solver of implicit forms and of inverses
///   train_tolerance, tolerance   Euclidean error of the output of a solve: while training, and otherwise
///   backward_tolerance           relative error of the transposed solve of a training gradient
/// Keys, ranges, help and defaults stand here once. The fields themselves stand in each struct of options,
/// not in a base class or a member: so designated initialisers reach them, {.event = 2, .tolerance = 1e-9},
/// and C++ has them where a config has them.
namespace contraflow {

struct SolveDefaults {
  static constexpr double train_tolerance = 1e-4;
  static constexpr double tolerance = 1e-6;
  static constexpr double backward_tolerance = 1e-3;
};

/// Where the estimators may be unset, who builds the blocks chooses by the size of an event.
template <class Options, class Field>
void visit_estimators(Options& o, Field&& field) {
  constexpr bool kMayBeUnset = requires { o.train_log_det.has_value(); };
  field("train_log_det", o.train_log_det,
        kMayBeUnset ? "Log-determinant while training; unset: exact up to 16 numbers."
                    : "Log-determinant while training.");
  field("eval_log_det", o.eval_log_det,
        kMayBeUnset ? "Log-determinant otherwise; unset: exact up to 64 numbers."
                    : "Log-determinant otherwise.");
}

template <class Options, class Field>
void visit_solves(Options& o, Field&& field) {
  field("solver", o.solver, "Fixed-point solver of implicit forms and of inverses.");
  field("train_tolerance", o.train_tolerance, positive(), "Error of a solve while training.");
  field("tolerance", o.tolerance, positive(), "Error of a solve otherwise.");
  field("backward_tolerance", o.backward_tolerance, positive(),
        "Relative error of a gradient's solve.");
}

}  // namespace contraflow
