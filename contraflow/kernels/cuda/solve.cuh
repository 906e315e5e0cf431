#pragma once

#include <cfloat>
#include <cmath>

#include "contraflow/kernels/cuda/sample.cuh"

namespace contraflow::kernels::cuda {

constexpr int32_t kMostMemory = 4;

/// Solves w = right + factor G(w) for one sample: safeguarded Anderson iteration, the algorithm
/// and the certified stopping rule of solvers/fixed_point.h.
template <class T>
struct SolveRule {
  T contraction = 0;  ///< Lipschitz constant of factor G
  T factor = 0;
  T tolerance = 0;
  int32_t memory = 0;
  int32_t dim = 0;
  int64_t max_iterations = 0;

  CF_HD T epsilon() const { return sizeof(T) == 8 ? T(DBL_EPSILON) : T(FLT_EPSILON); }
  CF_HD T rounding() const { return 4 * epsilon() * std::sqrt(static_cast<T>(dim)); }
};

template <class T>
struct SolveOutcome {
  T bound = 0;  ///< certified, on the error of s.image
  int64_t iterations = 0;
  bool failed = false;
  bool diverged = false;
};

template <class T>
CF_HD inline T length(Column<T> v, int32_t dim) {
  T sum = 0;
  for (int32_t r = 0; r < dim; ++r) sum += v[r] * v[r];
  return std::sqrt(sum);
}

template <class Team, class T>
class Solver {
 public:
  /// The start is in s.trial.
  CF_HD Solver(const Team& team, const SolveRule<T>& rule, const Sample<T>& s)
      : team_(team), rule_(rule), s_(s) {
    for (int32_t m = 0; m < rule.memory; ++m) forget(m);
  }

  /// Takes G(trial) in `g` and writes the next trial. False: done.
  CF_HD bool advance(Column<T> g, int64_t iteration);
  CF_HD SolveOutcome<T> outcome(int64_t iterations) const {
    return {bound_, iterations, active_ || failed_, diverged_};
  }

 private:
  CF_HD void forget(int32_t m) const {
    for_rows(team_, rule_.dim, [&](int32_t i) {
      s_.point_steps[m * rule_.dim + i] = 0;
      s_.steps[m * rule_.dim + i] = 0;
    });
  }
  CF_HD void accept(Column<T> g, int32_t slot) const;
  CF_HD void judge(T residual, T size, bool better);
  CF_HD void fit(T* gamma) const;
  CF_HD void propose() const;

  const Team& team_;
  const SolveRule<T>& rule_;
  const Sample<T>& s_;
  T tolerance_ = 0, residual_ = INFINITY, bound_ = INFINITY;
  T extra_ = 0;  // plain steps in the trial beside the first
  int32_t stalls_ = 0;
  bool plain_ = true, active_ = true, failed_ = false, diverged_ = false;
};

// In a rejected trial's place: a rejection empties the history, and the plain step that follows is
// one that a contraction cannot reject.
template <class Team, class T>
CF_HD inline void Solver<Team, T>::accept(Column<T> g, int32_t slot) const {
  const bool first = residual_ == T(INFINITY);
  for_rows(team_, rule_.dim, [&](int32_t i) {
    const T trial = s_.trial[i], f = s_.right[i] + rule_.factor * g[i];
    if (rule_.memory > 0) {
      const int32_t j = slot * rule_.dim + i;
      s_.point_steps[j] = first ? T(0) : trial - s_.best[i];
      s_.steps[j] = first ? T(0) : (f - trial) - (s_.image[i] - s_.best[i]);
    }
    s_.best[i] = trial;
    s_.image[i] = f;
  });
}

// Takes a trial's residual and the size of its image into the state.
template <class Team, class T>
CF_HD inline void Solver<Team, T>::judge(T residual, T size, bool better) {
  const T rounding = rule_.rounding(), slack = 1 / (1 - rule_.contraction);
  // A plain step of a contraction cannot raise the residual beyond rounding; a mixed one may, and
  // is thrown away. A residual that is not a number fails every comparison.
  diverged_ = plain_ && !(better || residual <= 16 * rounding * size + residual_);
  if (better) {
    residual_ = residual;
    bound_ = (rule_.contraction * residual + size * rounding) * slack;
    // What the type resolves, where that is more.
    const T floor = 4 * slack * rounding * size;
    tolerance_ = rule_.tolerance > floor ? rule_.tolerance : floor;
  }
  stalls_ = better ? 0 : stalls_ + 1;
  plain_ = stalls_ == 1;
  // Then steps of 1/2, 1.5, 1.5^2, ... 1.5^10 plain ones, as in solvers/fixed_point.cpp.
  if (stalls_ < 2) {
    extra_ = 0;
  } else {
    extra_ = stalls_ == 2 ? T(-0.5) : T(1.5) * (extra_ > 0 ? extra_ : T(0)) + T(0.5);
  }
  const bool done = bound_ <= tolerance_;
  failed_ = diverged_ || (!done && stalls_ >= 13);
  active_ = !(done || failed_);
}

template <class Team, class T>
CF_HD inline bool Solver<Team, T>::advance(Column<T> g, int64_t iteration) {
  T squares = 0, size = 0;
  for (int32_t i = 0; i < rule_.dim; ++i) {
    const T f = s_.right[i] + rule_.factor * g[i], r = f - s_.trial[i];
    squares += r * r;
    size += f * f;
  }
  const T residual = std::sqrt(squares);
  const bool better = residual < residual_;
  if (better) {
    accept(g, rule_.memory > 0 ? static_cast<int32_t>(iteration % rule_.memory) : 0);
  } else {
    for (int32_t m = 0; m < rule_.memory; ++m) forget(m);
  }
  judge(residual, 1 + std::sqrt(size), better);
  team_.sync();
  if (!active_) return false;
  propose();
  team_.sync();
  return true;
}

// gamma: the least-squares fit of the residual by the residual steps (relative Tikhonov term:
// parallel steps are harmless), by Cholesky and both triangular solves.
template <class Team, class T>
CF_HD inline void Solver<Team, T>::fit(T* gamma) const {
  const int32_t m = rule_.memory, dim = rule_.dim;
  T gram[kMostMemory][kMostMemory], trace = 0;
  for (int32_t a = 0; a < m; ++a) {
    for (int32_t b = 0; b <= a; ++b) {
      gram[a][b] = 0;
      for (int32_t i = 0; i < dim; ++i) gram[a][b] += s_.steps[a * dim + i] * s_.steps[b * dim + i];
    }
    trace += gram[a][a];
    gamma[a] = 0;
    for (int32_t i = 0; i < dim; ++i)
      gamma[a] += s_.steps[a * dim + i] * (s_.image[i] - s_.best[i]);
  }
  const T ridge = trace * T(sizeof(T) == 8 ? 1e-12 : 1e-6) + T(sizeof(T) == 8 ? DBL_MIN : FLT_MIN);
  for (int32_t a = 0; a < m; ++a) {
    for (int32_t b = 0; b <= a; ++b) {
      T sum = a == b ? gram[a][b] + ridge : gram[a][b];
      for (int32_t k = 0; k < b; ++k) sum -= gram[a][k] * gram[b][k];
      // Rounding may take a pivot below the ridge; then the direction is as good as parallel.
      gram[a][b] = a == b ? std::sqrt(sum > ridge ? sum : ridge) : sum / gram[b][b];
    }
    for (int32_t k = 0; k < a; ++k) gamma[a] -= gram[a][k] * gamma[k];
    gamma[a] /= gram[a][a];
  }
  for (int32_t a = m; a-- > 0;) {
    for (int32_t k = a + 1; k < m; ++k) gamma[a] -= gram[k][a] * gamma[k];
    gamma[a] /= gram[a][a];
  }
}

// Next trial = image + extra (image - best) - sum_j gamma_j (point step + residual step); the
// history of a row with an extra is empty. This lane's rows, no sync.
template <class Team, class T>
CF_HD inline void Solver<Team, T>::propose() const {
  T gamma[kMostMemory];
  fit(gamma);
  for_rows(team_, rule_.dim, [&](int32_t i) {
    T next = s_.image[i] + extra_ * (s_.image[i] - s_.best[i]);
    for (int32_t a = 0; a < rule_.memory; ++a) {
      const int32_t j = a * rule_.dim + i;
      next -= gamma[a] * (s_.point_steps[j] + s_.steps[j]);
    }
    s_.trial[i] = next;
  });
}

/// `evaluate` leaves G(s.trial) in `g`. The start is in s.trial; the solution in s.image.
template <class Team, class T, class Evaluate>
CF_HD inline SolveOutcome<T> solve(const Team& team, const SolveRule<T>& rule, const Sample<T>& s,
                                   Column<T> g, Evaluate&& evaluate) {
  Solver<Team, T> solver(team, rule, s);
  team.sync();
  int64_t iterations = 0;
  for (bool more = true; more && iterations < rule.max_iterations; ++iterations) {
    evaluate();
    more = solver.advance(g, iterations);
  }
  return solver.outcome(iterations);
}

}  // namespace contraflow::kernels::cuda
