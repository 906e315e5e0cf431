#include "contraflow/solvers/tensor_fixed_point.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "contraflow/solvers/solve_rule.h"

namespace contraflow {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kTensorRidge = 1e-12;  // as anderson_step()
constexpr int64_t kLookEvery = 4;       // iterations between two looks at whether all are done

at::Tensor column(const at::Tensor& row_flags) { return row_flags.unsqueeze(-1); }

// All rows at once: what Row and Rows are in fixed_point.cpp. Flags and numbers are [b].
class TensorRows {
 public:
  TensorRows(const at::Tensor& start, const SolveRule& rule)
      : rule_(rule), trial_(start.to(at::kDouble)), w_(trial_), f_(trial_) {
    const int64_t b = start.size(0);
    const auto number = [&](double value) { return at::full({b}, value, trial_.options()); };
    const auto flag = [&](bool value) {
      return at::full({b}, value, trial_.options().dtype(at::kBool));
    };
    residual_ = number(kInfinity);
    bound_ = number(kInfinity);
    relaxation_ = number(1.0);
    active_ = flag(true);
    stalled_ = flag(false);
    diverged_ = flag(false);
    points_ = at::zeros({b, rule.memory, rule.d}, trial_.options());
    residuals_ = at::zeros_like(points_);
  }

  const at::Tensor& trial() const { return trial_; }
  bool any_active() const { return active_.any().item<bool>(); }

  // Takes f(trial), trial as f saw it, and makes the next trial of the rows at work.
  void advance(const at::Tensor& trial, const at::Tensor& f) {
    const at::Tensor residual = row_norm(f - trial, rule_.order), size = row_norm(f, rule_.order);
    const at::Tensor allowed = residual_ + SolveRule::kRoundingMargin * rule_.rounding * (1 + size);
    const at::Tensor plain = relaxation_.eq(1);
    const at::Tensor sound = at::isfinite(residual).logical_and(residual.le(allowed));
    const at::Tensor diverged = active_.logical_and(plain).logical_and(sound.logical_not());
    diverged_ = diverged_.logical_or(diverged);
    active_ = active_.logical_and(diverged.logical_not());
    const at::Tensor better = active_.logical_and(residual.lt(residual_));
    const at::Tensor worse = active_.logical_and(better.logical_not());
    remember(trial, f, better, worse);
    w_ = at::where(column(better), trial, w_);
    f_ = at::where(column(better), f, f_);
    residual_ = at::where(better, residual, residual_);
    bound_ = at::where(better, certified(residual, size), bound_);
    relax(better, worse);
    const at::Tensor done = bound_.le(rule_.tolerance);
    const at::Tensor stalled = active_.logical_and(done.logical_not())
                                   .logical_and(relaxation_.gt(SolveRule::kMostRelaxation));
    stalled_ = stalled_.logical_or(stalled);
    active_ = active_.logical_and(done.logical_not()).logical_and(stalled.logical_not());
    propose();
  }

  Solution solution(const at::TensorOptions& like, int64_t iterations) const {
    SolveStatus status = SolveStatus::kConverged;
    if (stalled_.any().item<bool>()) status = SolveStatus::kStalled;
    if (active_.any().item<bool>()) status = std::max(status, SolveStatus::kMaxIterations);
    if (diverged_.any().item<bool>()) status = SolveStatus::kDiverged;
    // A bound must not be rounded down.
    return {f_.to(like), {status, iterations, (bound_ * (1 + 0x1p-22)).to(like)}};
  }

 private:
  at::Tensor certified(const at::Tensor& residual, const at::Tensor& size) const {
    return (residual * rule_.contraction + (1 + size) * rule_.rounding) *
           (rule_.euclidean / (1 - rule_.contraction));
  }

  // Differences to the best point before, the latest last; places not yet filled are zero, which a
  // fit gives no weight. A rejection empties the history.
  void remember(const at::Tensor& trial, const at::Tensor& f, const at::Tensor& better,
                const at::Tensor& worse) {
    if (rule_.memory == 0) return;
    const at::Tensor keeps = better.logical_and(at::isfinite(residual_)).view({-1, 1, 1});
    const at::Tensor drops = worse.view({-1, 1, 1});
    const auto append = [&](const at::Tensor& history, const at::Tensor& step) {
      const at::Tensor longer =
          at::cat({history.narrow(1, 1, rule_.memory - 1), step.unsqueeze(1)}, 1);
      return at::where(keeps, longer, history).masked_fill(drops, 0.0);
    };
    points_ = append(points_, trial - w_);
    residuals_ = append(residuals_, (f - trial) - (f_ - w_));
  }

  void relax(const at::Tensor& better, const at::Tensor& worse) {
    const at::Tensor one = at::ones_like(relaxation_);
    const at::Tensor longer = 1.5 * at::clamp_min(relaxation_, 1.0);
    const at::Tensor next =
        at::where(relaxation_.eq(0), one, at::where(relaxation_.eq(1), one * 0.5, longer));
    const at::Tensor mixes =
        rule_.memory == 0 ? one : one - points_.ne(0).any(-1).any(-1).to(one.scalar_type());
    relaxation_ = at::where(better, mixes, at::where(worse, next, relaxation_));
  }

  // The least-squares fit of the residual by the residuals' differences; see anderson_step().
  at::Tensor mixture() const {
    const at::Tensor gram = residuals_.bmm(residuals_.transpose(1, 2));
    const at::Tensor trace = gram.diagonal(0, 1, 2).sum(-1);
    const at::Tensor ridge = (kTensorRidge * trace).clamp_min(std::numeric_limits<double>::min());
    const at::Tensor shifted =
        gram + ridge.view({-1, 1, 1}) * at::eye(rule_.memory, gram.options());
    const auto [factor, info] = at::linalg_cholesky_ex(shifted, /*upper=*/false,
                                                       /*check_errors=*/false);
    const at::Tensor right = residuals_.bmm(column(f_ - w_));
    const at::Tensor gamma = at::cholesky_solve(right, factor);
    const at::Tensor mixed = f_ - gamma.mul(points_ + residuals_).sum(1);
    return at::where(column(info.eq(0)), mixed, f_);
  }

  void propose() {
    const at::Tensor r = column(relaxation_);
    at::Tensor next = at::where(r.eq(1), f_, w_ + r * (f_ - w_));
    if (rule_.memory > 0) next = at::where(r.eq(0), mixture(), next);
    trial_ = at::where(column(active_), next, trial_);
  }

  SolveRule rule_;
  at::Tensor trial_, w_, f_;     // next trial; best point and its image
  at::Tensor residual_, bound_;  // at the best point
  at::Tensor relaxation_;        // the trial is best + relaxation (f(best) - best); 0: a mixture
  at::Tensor active_, stalled_, diverged_;
  at::Tensor points_, residuals_;  // [b, memory, d]
};

}  // namespace

Solution solve_fixed_point_on_tensors(const FixedPointMap& f, const at::Tensor& start,
                                      const LipschitzBound& contraction, double tolerance,
                                      const SolverOptions& options, double roundoff) {
  const at::NoGradGuard guard;
  TensorRows rows(start.detach(), SolveRule::of(start, contraction, tolerance, options, roundoff));
  int64_t iterations = 0;
  for (bool more = true; more && iterations < options.max_iterations;) {
    const at::Tensor typed = rows.trial().to(start.options());
    rows.advance(typed.to(at::kDouble), f(typed, at::Tensor()).to(at::kDouble));
    ++iterations;
    if (iterations % kLookEvery == 0) more = rows.any_active();
  }
  return rows.solution(start.options(), iterations);
}

}  // namespace contraflow
