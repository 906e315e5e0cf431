// Included once per instruction set by tile/run.cpp (Highway's convention): no include guard.
#if defined(CONTRAFLOW_TILE_SOLVE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONTRAFLOW_TILE_SOLVE_INL_H_
#undef CONTRAFLOW_TILE_SOLVE_INL_H_
#else
#define CONTRAFLOW_TILE_SOLVE_INL_H_
#endif

#include <cmath>
#include <limits>

#include "contraflow/kernels/tile/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

constexpr int64_t kMostMemory = 4;
constexpr int64_t kMostTileVectors = 8;

/// Solves w = right + factor G(w) for each sample: safeguarded Anderson iteration, the algorithm
/// and the certified stopping rule of solvers/fixed_point.h, one sample per lane.
template <class T>
struct SolveRule {
  double contraction = 0;  ///< Lipschitz constant of factor G
  double factor = 0;
  double tolerance = 0;
  /// What the type cannot certify is accepted. With `to_rounding` only once a step no longer helps:
  /// the true error is then far below the certified one.
  bool to_rounding = false;
  int64_t memory = 2;
  int64_t max_iterations = 2000;
  int64_t dim = 0;

  double rounding() const {
    return 4 * std::numeric_limits<T>::epsilon() * std::sqrt(static_cast<double>(dim));
  }
};

/// The rows of the solver's panels, in vectors of one tile: allocated by the caller.
template <class T>
struct SolveScratch {
  Panel<T> trial;        ///< [dim]
  Panel<T> best;         ///< [dim] the best point
  Panel<T> image;        ///< [dim] its image, the solution
  Panel<T> value;        ///< [dim] G at the best point
  Panel<T> point_steps;  ///< [memory dim] differences of points
  Panel<T> steps;        ///< [memory dim] differences of residuals
  T* error = nullptr;    ///< [samples] certified bound on each sample's error
  Panel<T> input;        ///< [dim] trials of the vectors still at work, close together
};

template <class T>
class VectorSolver {
 public:
  using V = Vec<T>;

  VectorSolver(const SolveRule<T>& rule, const SolveScratch<T>& s, Panel<T> right, int64_t vector)
      : rule_(rule), s_(s), right_(right), c_(vector * lanes<T>()) {
    resolvable_ = hn::Zero(Tag<T>());
    residual_ = bound_ = hn::Inf(Tag<T>());
    stalls_ = failed_ = extra_ = hn::Zero(Tag<T>());
    active_ = set<T>(1.0);
    for (int64_t j = 0; j < rule.memory * rule.dim; ++j) {
      store(hn::Zero(Tag<T>()), s_.point_steps.row(j) + c_);
      store(hn::Zero(Tag<T>()), s_.steps.row(j) + c_);
    }
    plain_ = set<T>(1.0);
  }

  /// Takes G(trial), the columns of `g` at `at`, and writes the next trial. False: all done.
  bool advance(Panel<T> g, int64_t at, int64_t iteration);
  void finish() const { store(bound_, s_.error + c_); }
  V failed() const { return hn::IfThenElse(active_ > zero(), set<T>(1.0), failed_); }
  bool diverged() const { return !hn::AllFalse(Tag<T>(), failed_ > set<T>(1.5)); }

 private:
  static V zero() { return hn::Zero(Tag<T>()); }
  void remember(hn::Mask<Tag<T>> better, hn::Mask<Tag<T>> reset, Panel<T> g, int64_t at,
                int64_t slot);
  void propose();

  const SolveRule<T>& rule_;
  const SolveScratch<T>& s_;
  Panel<T> right_;
  int64_t c_;
  // Flags are 0 or 1 in the lanes; failed: 1 stalled, 2 diverged.
  V resolvable_, residual_, bound_, stalls_, failed_, active_, plain_;
  V extra_;  // plain steps in the trial beside the first
};

template <class T>
HWY_NOINLINE bool VectorSolver<T>::advance(Panel<T> g, int64_t at, int64_t iteration) {
  const Tag<T> d;
  const V factor = set<T>(rule_.factor), rounding = set<T>(rule_.rounding()), one = set<T>(1.0);
  V squares = zero(), size = zero();
  for (int64_t i = 0; i < rule_.dim; ++i) {
    const V f = hn::MulAdd(factor, load(g.row(i) + at), load(right_.row(i) + c_));
    const V r = f - load(s_.trial.row(i) + c_);
    squares = hn::MulAdd(r, r, squares);
    size = hn::MulAdd(f, f, size);
  }
  const V residual = hn::Sqrt(squares);
  size = one + hn::Sqrt(size);
  const auto active = active_ > zero();
  const auto better = hn::And(active, residual < residual_);
  // A plain step of a contraction cannot raise the residual beyond rounding; a mixed one may, and
  // is thrown away. A residual that is not a number fails every comparison.
  const V allowed = hn::MulAdd(set<T>(16.0) * rounding, size, residual_);
  const auto diverged =
      hn::And(hn::And(active, plain_ > zero()), hn::Not(hn::Or(better, residual <= allowed)));
  remember(better, hn::And(active, hn::Not(better)), g, at,
           iteration % std::max<int64_t>(1, rule_.memory));
  const V certified = hn::MulAdd(set<T>(rule_.contraction), residual, size * rounding) *
                      set<T>(1.0 / (1.0 - rule_.contraction));
  residual_ = hn::IfThenElse(better, residual, residual_);
  bound_ = hn::IfThenElse(better, certified, bound_);
  const V resolvable = set<T>(4.0 / (1.0 - rule_.contraction)) * rounding * size;
  resolvable_ = hn::IfThenElse(better, resolvable, resolvable_);
  stalls_ = hn::IfThenElse(better, zero(), stalls_ + one);
  const auto resolved = bound_ <= resolvable_;
  // Either the residual is what rounding the point leaves, or two steps in a row do not help: the
  // second is the plain one, and only that one shows that rounding stops it.
  const V floor = set<T>(2 * std::numeric_limits<T>::epsilon()) * size;
  const auto at_floor = hn::Or(residual_ <= floor, stalls_ >= set<T>(2.0));
  const auto at_rounding = hn::And(resolved, at_floor);
  const auto done =
      hn::Or(bound_ <= set<T>(rule_.tolerance), rule_.to_rounding ? at_rounding : resolved);
  const auto stalled = hn::And(hn::Not(done), stalls_ >= set<T>(13.0));
  failed_ =
      hn::IfThenElse(diverged, set<T>(2.0), hn::IfThenElse(hn::And(active, stalled), one, failed_));
  active_ = hn::IfThenZeroElse(hn::Or(hn::Or(done, stalled), diverged), active_);
  plain_ = hn::IfThenElse(stalls_ == one, one, zero());
  // Then steps of 1/2, 1.5, 1.5^2, ... 1.5^10 plain ones, as in solvers/fixed_point.cpp.
  const V half = set<T>(0.5);
  const V longer = hn::MulAdd(set<T>(1.5), hn::Max(extra_, zero()), half);
  extra_ =
      hn::IfThenElseZero(stalls_ > one, hn::IfThenElse(stalls_ > one + one, longer, hn::Neg(half)));
  if (hn::AllFalse(d, active_ > zero())) return false;
  propose();
  return true;
}

// The safeguard: a trial replaces the best point only when its residual is smaller. A rejection
// empties the history: the plain step that follows is one that a contraction cannot reject.
template <class T>
HWY_INLINE void VectorSolver<T>::remember(hn::Mask<Tag<T>> better, hn::Mask<Tag<T>> reset,
                                          Panel<T> g, int64_t at, int64_t slot) {
  const auto first = residual_ == hn::Inf(Tag<T>());
  const auto keeps = hn::And(better, hn::Not(first));
  for (int64_t i = 0; i < rule_.dim; ++i) {
    T* best = s_.best.row(i) + c_;
    T* image = s_.image.row(i) + c_;
    const V trial = load(s_.trial.row(i) + c_), of_g = load(g.row(i) + at);
    const V f = hn::MulAdd(set<T>(rule_.factor), of_g, load(right_.row(i) + c_));
    T* value = s_.value.row(i) + c_;
    store(hn::IfThenElse(better, of_g, load(value)), value);
    if (rule_.memory > 0) {
      const int64_t j = slot * rule_.dim + i;
      const V step = trial - load(best);
      const V change = (f - trial) - (load(image) - load(best));
      store(hn::IfThenElseZero(keeps, step), s_.point_steps.row(j) + c_);
      store(hn::IfThenElseZero(keeps, change), s_.steps.row(j) + c_);
    }
    store(hn::IfThenElse(better, trial, load(best)), best);
    store(hn::IfThenElse(better, f, load(image)), image);
  }
  if (hn::AllFalse(Tag<T>(), reset)) return;
  for (int64_t j = 0; j < rule_.memory * rule_.dim; ++j) {
    T* a = s_.point_steps.row(j) + c_;
    T* b = s_.steps.row(j) + c_;
    store(hn::IfThenZeroElse(reset, load(a)), a);
    store(hn::IfThenZeroElse(reset, load(b)), b);
  }
}

// Next trial = image + extra (image - best) - sum_j gamma_j (point step + residual step), gamma the
// least-squares fit of the residual by the residual steps (relative Tikhonov term: parallel steps
// are harmless). The history of a row with an extra is empty, its gamma 0.
template <class T>
HWY_INLINE void VectorSolver<T>::propose() {
  const int64_t m = rule_.memory, dim = rule_.dim;
  V gram[kMostMemory][kMostMemory], gamma[kMostMemory];
  V trace = zero();
  for (int64_t a = 0; a < m; ++a) {
    for (int64_t b = 0; b <= a; ++b) {
      V sum = zero();
      for (int64_t i = 0; i < dim; ++i)
        sum = hn::MulAdd(load(s_.steps.row(a * dim + i) + c_), load(s_.steps.row(b * dim + i) + c_),
                         sum);
      gram[a][b] = sum;
    }
    trace = trace + gram[a][a];
    V sum = zero();
    for (int64_t i = 0; i < dim; ++i)
      sum = hn::MulAdd(load(s_.steps.row(a * dim + i) + c_),
                       load(s_.image.row(i) + c_) - load(s_.best.row(i) + c_), sum);
    gamma[a] = sum;
  }
  const V ridge = hn::MulAdd(trace, set<T>(sizeof(T) == 8 ? 1e-12 : 1e-6),
                             set<T>(std::numeric_limits<T>::min()));
  for (int64_t a = 0; a < m; ++a) {  // Cholesky, and both triangular solves
    for (int64_t b = 0; b <= a; ++b) {
      V sum = a == b ? gram[a][b] + ridge : gram[a][b];
      for (int64_t k = 0; k < b; ++k) sum = hn::NegMulAdd(gram[a][k], gram[b][k], sum);
      // Rounding may take a pivot below the ridge; then the direction is as good as parallel.
      gram[a][b] = a == b ? hn::Sqrt(hn::Max(sum, ridge)) : sum / gram[b][b];
    }
    for (int64_t k = 0; k < a; ++k) gamma[a] = hn::NegMulAdd(gram[a][k], gamma[k], gamma[a]);
    gamma[a] = gamma[a] / gram[a][a];
  }
  for (int64_t a = m; a-- > 0;) {
    for (int64_t k = a + 1; k < m; ++k) gamma[a] = hn::NegMulAdd(gram[k][a], gamma[k], gamma[a]);
    gamma[a] = gamma[a] / gram[a][a];
  }
  for (int64_t i = 0; i < dim; ++i) {
    const V image = load(s_.image.row(i) + c_);
    V next = hn::MulAdd(extra_, image - load(s_.best.row(i) + c_), image);
    for (int64_t a = 0; a < m; ++a) {
      const V step =
          load(s_.point_steps.row(a * dim + i) + c_) + load(s_.steps.row(a * dim + i) + c_);
      next = hn::NegMulAdd(gamma[a], step, next);
    }
    store(next, s_.trial.row(i) + c_);
  }
}

/// What a tile's solve reports: the first sample that failed, or -1.
struct TileSolveOutcome {
  int64_t iterations = 0;
  int64_t failed_sample = -1;
  bool diverged = false;
};

/// Solves a tile. `evaluate(count, places)` computes G of the first `count` vectors of
/// scratch.input, the tile's vectors places[0], places[1], ..., and returns its panel; `start` is in
/// scratch.trial. The solution is in scratch.image. With kCompact the vectors whose samples are all
/// done leave, and the products shrink with them; without, every vector stays at its place, for a G
/// that differs from sample to sample.
template <bool kCompact, class T, class Evaluate>
TileSolveOutcome solve_tile(const SolveRule<T>& rule, const SolveScratch<T>& scratch,
                            Panel<T> right, int64_t vectors, int64_t samples, Evaluate&& evaluate) {
  constexpr int64_t n = lanes<T>();
  HWY_ALIGN char storage[kMostTileVectors * sizeof(VectorSolver<T>)];
  auto* solvers = reinterpret_cast<VectorSolver<T>*>(storage);
  int64_t active[kMostTileVectors];
  int64_t count = vectors;
  for (int64_t v = 0; v < vectors; ++v) {
    new (&solvers[v]) VectorSolver<T>(rule, scratch, right, v);
    active[v] = v;
  }
  TileSolveOutcome outcome;
  while (count > 0 && outcome.iterations < rule.max_iterations) {
    for (int64_t k = 0; k < count; ++k) {
      const int64_t place = kCompact ? k : active[k];
      for (int64_t i = 0; i < rule.dim; ++i)
        store(load(scratch.trial.row(i) + active[k] * n), scratch.input.row(i) + place * n);
    }
    const Panel<T> g = evaluate(kCompact ? count : vectors, active);
    int64_t kept = 0;
    for (int64_t k = 0; k < count; ++k) {
      const int64_t v = active[k];
      if (solvers[v].advance(g, (kCompact ? k : v) * n, outcome.iterations)) active[kept++] = v;
    }
    count = kept;
    ++outcome.iterations;
  }
  HWY_ALIGN T failed[lanes<T>()];
  for (int64_t v = 0; v < vectors; ++v) {
    solvers[v].finish();
    store(solvers[v].failed(), failed);
    for (int64_t l = 0; l < n && outcome.failed_sample < 0; ++l) {
      if (failed[l] == T(0) || v * n + l >= samples) continue;
      outcome.failed_sample = v * n + l;
      outcome.diverged = failed[l] > T(1.5);
    }
  }
  return outcome;
}

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
