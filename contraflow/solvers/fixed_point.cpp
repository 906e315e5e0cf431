#include "contraflow/solvers/fixed_point.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include "contraflow/core/error.h"
#include "contraflow/solvers/anderson.h"

namespace contraflow {
namespace {

constexpr double kDivergenceFactor = 1e3;
constexpr int64_t kStallLimit = 4;

double unit_roundoff(at::ScalarType type) {
  return type == at::kDouble ? std::numeric_limits<double>::epsilon()
                             : static_cast<double>(std::numeric_limits<float>::epsilon());
}

at::Tensor row_norm(const at::Tensor& t) { return at::linalg_vector_norm(t, 2, at::IntArrayRef{1}); }

// The rows still iterating, and the best point each has reached.
class ActiveSet {
 public:
  ActiveSet(const at::Tensor& start, double contraction, double tolerance, const SolverOptions& options)
      : contraction_(contraction), tolerance_(tolerance), options_(options), trial_(start),
        value_(at::empty_like(start)),
        bound_(at::full({start.size(0)}, std::numeric_limits<double>::infinity(), start.options())) {
    if (options.method == SolverMethod::kAnderson) {
      history_ = std::make_unique<AndersonHistory>(std::min(options.memory, start.size(1)));
    }
  }

  bool empty() const { return trial_.size(0) == 0; }
  bool diverged() const { return diverged_; }

  // One evaluation of the map and one decision for every active row.
  void step(const FixedPointMap& f) {
    const at::Tensor f_trial = f(trial_, rows_);
    const at::Tensor residual = row_norm(f_trial - trial_);
    accept(f_trial, residual);
    retire();
    if (!empty()) propose();
  }

  Solution finish(int64_t iterations) {
    if (!empty()) write_back(best_f_, certified(best_f_, best_residual_), rows_);
    SolveStatus status = SolveStatus::kConverged;
    if (diverged_) status = SolveStatus::kDiverged;
    else if (!empty()) status = SolveStatus::kMaxIterations;
    else if ((bound_ > tolerance_).any().item<bool>()) status = SolveStatus::kStalled;
    return {value_, {status, iterations, bound_}};
  }

 private:
  // The safeguard: a trial replaces the best point only when its residual is smaller.
  void accept(const at::Tensor& f_trial, const at::Tensor& residual) {
    if (!best_w_.defined()) {
      best_w_ = trial_;
      best_f_ = f_trial;
      best_residual_ = residual;
      first_residual_ = residual;
      better_ = at::ones_like(residual, at::TensorOptions().dtype(at::kBool));
      plain_ = better_;
      stalls_ = at::zeros_like(residual);
      diverged_ = at::isfinite(residual).logical_not().any().item<bool>();
      return;
    }
    better_ = residual < best_residual_;
    const at::Tensor column = better_.unsqueeze(1);
    best_w_ = at::where(column, trial_, best_w_);
    best_f_ = at::where(column, f_trial, best_f_);
    best_residual_ = at::where(better_, residual, best_residual_);
    stalls_ = at::where(better_, at::zeros_like(stalls_), stalls_ + 1);
    const at::Tensor wild =
        at::isfinite(residual).logical_not() | (residual > first_residual_ * kDivergenceFactor + 1);
    // Only plain steps prove a divergence: a mixed one may be wild and is thrown away.
    diverged_ = diverged_ || (plain_ & wild).any().item<bool>();
  }

  at::Tensor certified(const at::Tensor& f, const at::Tensor& residual) const {
    const double rounding = 4 * unit_roundoff(f.scalar_type()) * std::sqrt(static_cast<double>(f.size(1)));
    return (residual * contraction_ + (1 + row_norm(f)) * rounding) / (1 - contraction_);
  }

  void retire() {
    const at::Tensor bound = certified(best_f_, best_residual_);
    // A contraction's plain steps shrink the residual until rounding stops them: rows that do not
    // move any more leave with the bound they have.
    const at::Tensor done = (bound <= tolerance_) | (stalls_ >= kStallLimit);
    const int64_t finished = done.sum().item<int64_t>();
    if (finished == 0) return;
    const at::Tensor out = done.nonzero().squeeze(1);
    const at::Tensor all = rows_.defined() ? rows_ : at::arange(trial_.size(0), out.options());
    write_back(best_f_.index_select(0, out), bound.index_select(0, out), all.index_select(0, out));
    keep(done.logical_not().nonzero().squeeze(1), all);
  }

  void keep(const at::Tensor& stay, const at::Tensor& all) {
    for (at::Tensor* t : {&trial_, &best_w_, &best_f_, &best_residual_, &first_residual_, &better_,
                          &plain_, &stalls_}) {
      *t = t->index_select(0, stay);
    }
    rows_ = all.index_select(0, stay);
    if (history_) history_->select(stay);
  }

  void write_back(const at::Tensor& f, const at::Tensor& bound, const at::Tensor& rows) {
    if (!rows.defined()) {
      value_ = f;
      bound_ = bound;
      return;
    }
    value_.index_copy_(0, rows, f);
    bound_.index_copy_(0, rows, bound);
  }

  void propose() {
    if (!history_) {
      trial_ = best_f_;
      return;
    }
    // A rejected row restarts from a plain step, whose residual is at most `contraction` times the
    // best: progress is never slower than Banach's at two evaluations a step.
    const at::Tensor rejected = better_.logical_not();
    const at::Tensor mixed = history_->propose(best_w_, best_f_);
    plain_ = rejected;
    if (!rejected.any().item<bool>()) {
      trial_ = mixed;
      return;
    }
    history_->forget(rejected);
    trial_ = at::where(rejected.unsqueeze(1), best_f_, mixed);
  }

  double contraction_, tolerance_;
  SolverOptions options_;
  at::Tensor trial_, best_w_, best_f_, best_residual_, first_residual_, better_, rows_;
  at::Tensor plain_;   // rows whose trial is f(best), not a mixture
  at::Tensor stalls_;  // trials in a row that did not lower the residual
  at::Tensor value_, bound_;
  std::unique_ptr<AndersonHistory> history_;
  bool diverged_ = false;
};

}  // namespace

void SolveReport::require_converged(std::string_view where, double tolerance) const {
  if (status == SolveStatus::kConverged) return;
  const at::Tensor worst = error_bound.nan_to_num(std::numeric_limits<double>::infinity()).argmax();
  const auto row = worst.item<int64_t>();
  fail<ConvergenceError>(
      where, "solve", c10::str("an error of at most ", tolerance, " in every row"),
      c10::str(status == SolveStatus::kDiverged ? "divergence" : "a bound of ",
               status == SolveStatus::kDiverged ? "" : c10::str(error_bound[row].item<double>()), " in row ", row,
               " after ", iterations, " evaluations"),
      "Raise the tolerance or solver.max_iterations, lower the Lipschitz bound, or compute in float64.");
}

Solution solve_fixed_point(const FixedPointMap& f, const at::Tensor& start, double contraction,
                           double tolerance, const SolverOptions& options) {
  at::NoGradGuard guard;
  if (!(contraction >= 0 && contraction < 1)) {
    fail<DomainError>("solve_fixed_point", "contraction", "a constant in [0, 1)", std::to_string(contraction),
                      "The map must be a contraction.");
  }
  ActiveSet active(start.detach(), contraction, tolerance, options);
  int64_t iterations = 0;
  while (!active.empty() && !active.diverged() && iterations < options.max_iterations) {
    active.step(f);
    ++iterations;
  }
  return active.finish(iterations);
}

}  // namespace contraflow
