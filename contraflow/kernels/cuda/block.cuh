#pragma once

#include "contraflow/kernels/cuda/log_det.cuh"
#include "contraflow/kernels/cuda/solve.cuh"

namespace contraflow::kernels::cuda {

/// One contractive block  x = a w + b G(w),  y = c w + d G(w)  on one sample; the steps of
/// tile/block-inl.h. The caller has put x into s.state.
template <class Team, class T>
struct Block {
  const Team& team;
  const FlatStep& step;
  const FlatTerm* terms;  ///< the step's
  const Net<T>& net;
  const Sample<T>& s;

  CF_HD Column<T> probe(int32_t p) const { return s.features.from((1 + p) * net.features); }

  CF_HD SolveRule<T> solve_rule(double tolerance) const {
    SolveRule<T> rule;
    rule.contraction = static_cast<T>(std::abs(step.b / step.a) * step.kappa);
    rule.factor = static_cast<T>(-step.b / step.a);
    rule.tolerance = static_cast<T>(tolerance);
    rule.memory = step.memory;
    rule.dim = net.dim;
    rule.max_iterations = step.max_iterations;
    return rule;
  }

  /// The hidden point w: in features 0 .. dim-1. The outcome's bound is on the error of y.
  CF_HD SolveOutcome<T> find_point() const;
  /// Linearises at the point, with the log-determinant. `count`: terms of a series, whose probes
  /// stand in the tangents' features.
  CF_HD SeriesSums<T> linearize(int64_t count) const;
  /// y into s.state, which holds x. The net's value has been computed at w where the block does not
  /// solve.
  CF_HD void output() const;

 private:
  CF_HD void set_unit_tangents() const;
};

template <class Team, class T>
CF_HD inline SolveOutcome<T> Block<Team, T>::find_point() const {
  const T inverse = static_cast<T>(1 / step.a);
  if (!step.solves()) {
    for_rows(team, net.dim, [&](int32_t r) { s.features[r] = s.state[r] * inverse; });
    team.sync();
    return {};
  }
  for_rows(team, net.dim, [&](int32_t r) { s.right[r] = s.trial[r] = s.state[r] * inverse; });
  const double to_y = std::abs(step.determinant() / step.b);
  const SolveRule<T> rule = solve_rule(step.tolerance / to_y);
  SolveOutcome<T> outcome = solve(team, rule, s, s.z.from(net.output()), [&] {
    for_rows(team, net.dim, [&](int32_t r) { s.features[r] = s.trial[r]; });
    team.sync();
    value_pass(team, net, s, 0);
  });
  for_rows(team, net.dim, [&](int32_t r) { s.features[r] = s.image[r]; });
  team.sync();
  outcome.bound *= static_cast<T>(to_y);
  return outcome;
}

template <class Team, class T>
CF_HD inline void Block<Team, T>::set_unit_tangents() const {
  for_rows(team, net.dim, [&](int32_t r) {
    for (int32_t p = 0; p < net.dim; ++p) probe(p)[r] = static_cast<T>(p == r);
  });
  team.sync();
}

template <class Team, class T>
CF_HD inline SeriesSums<T> Block<Team, T>::linearize(int64_t count) const {
  SeriesSums<T> sums;
  if (step.exact) {
    set_unit_tangents();
    value_pass(team, net, s, step.tangents);
    sums.value = exact_log_det(team, step, net, s);
    return sums;
  }
  value_pass(team, net, s, 0);
  sums.value = static_cast<T>(step.constant);
  const T weight = static_cast<T>(1.0 / step.tangents);
  const SeriesChain<Team, T> chain{team, step, terms, net, s, count, weight};
  for (int32_t p = 0; p < step.tangents; ++p) chain.run(probe(p), sums);
  return sums;
}

template <class Team, class T>
CF_HD inline void Block<Team, T>::output() const {
  if (step.solves()) {  // G(w) eliminated: y is exact in x
    const T of_w = static_cast<T>(-step.determinant() / step.b),
            of_x = static_cast<T>(step.d / step.b);
    for_rows(team, net.dim,
             [&](int32_t r) { s.state[r] = of_w * s.features[r] + of_x * s.state[r]; });
  } else {
    const T of_w = static_cast<T>(step.c), of_g = static_cast<T>(step.d);
    for_rows(team, net.dim,
             [&](int32_t r) { s.state[r] = of_w * s.features[r] + of_g * s.z[net.output() + r]; });
  }
  team.sync();
}

}  // namespace contraflow::kernels::cuda
