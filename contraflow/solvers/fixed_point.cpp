#include "contraflow/solvers/fixed_point.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/parallel.h"
#include "contraflow/core/roundoff.h"
#include "contraflow/solvers/anderson.h"
#include "contraflow/solvers/solve_rule.h"
#include "contraflow/solvers/tensor_fixed_point.h"

namespace contraflow {
namespace {

// Batches on a device of at most so many numbers are mixed on the host: an iteration as tensor
// operations launches some fifty kernels, which cost more than the copy (docs/kernels_cuda.md).
constexpr int64_t kMostHostNumbers = int64_t{1} << 16;

double euclidean_distance(const double* a, const double* b, int64_t d) {
  double sum = 0;
  for (int64_t k = 0; k < d; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(sum);
}

// Of two points in the norm of an order; `b` null is the origin.
double distance(const double* a, const double* b, int64_t d, double order) {
  if (order == 2.0 && b != nullptr) return euclidean_distance(a, b, d);
  std::vector<double> gap(a, a + d);
  for (int64_t k = 0; b != nullptr && k < d; ++k) gap[k] -= b[k];
  return vector_norm(gap.data(), d, order);
}

enum class RowState : char { kActive, kConverged, kStalled, kDiverged };

// Steps to try, in multiples of the plain one, when one was rejected: a mixture (0), the plain one,
// half of it, then longer ones. A growth this small does not overshoot the kinks of a map.
double next_relaxation(double rejected) {
  if (rejected == 0) return 1;
  if (rejected == 1) return 0.5;
  return 1.5 * std::max(1.0, rejected);
}

// The iteration of one row; arrays of the whole batch are indexed by it.
struct Row {
  RowState state = RowState::kActive;
  double relaxation = 1;  // the trial is best + relaxation (f(best) - best); 0 = a mixture
  int64_t steps = 0;      // differences in the history
  double residual = std::numeric_limits<double>::infinity();  // at the best point
  double bound = std::numeric_limits<double>::infinity();
};

// All rows and their histories; pointwise work in float64 on the CPU, whatever f computes in.
class Rows {
 public:
  Rows(int64_t count, const SolveRule& rule)
      : rule_(rule), rows_(count), w_(count * rule.d), f_(count * rule.d) {
    dw_.resize(count * rule.d * rule.memory);
    dr_.resize(count * rule.d * rule.memory);
  }

  Row& operator[](int64_t b) { return rows_[b]; }
  const double* best(int64_t b) const { return &f_[b * rule_.d]; }

  // Takes f(trial) for row b and writes the next trial over `trial`.
  void advance(int64_t b, double* trial, const double* f) {
    Row& row = rows_[b];
    const double residual = distance(f, trial, rule_.d, rule_.order);
    // A plain step of a contraction cannot raise the residual beyond rounding; a mixed one may, and
    // is thrown away.
    const double allowed =
        row.residual + SolveRule::kRoundingMargin * rule_.rounding * (1 + length(f));
    const bool plain = row.relaxation == 1;
    if (plain && !(std::isfinite(residual) && residual <= allowed)) {
      row.state = RowState::kDiverged;
      return;
    }
    // The safeguard: a trial replaces the best point only when its residual is smaller. After a
    // rejection the plain step from the best point follows, which a contraction cannot reject.
    if (residual < row.residual) {
      accept(b, trial, f, residual);
      row.relaxation = row.steps > 0 ? 0 : 1;
    } else {
      row.steps = 0;
      row.relaxation = next_relaxation(row.relaxation);
    }
    if (row.bound <= rule_.tolerance)
      row.state = RowState::kConverged;
    else if (row.relaxation > SolveRule::kMostRelaxation)
      row.state = RowState::kStalled;
    if (row.state == RowState::kActive) propose(b, trial);
  }

 private:
  double length(const double* v) const { return vector_norm(v, rule_.d, rule_.order); }
  double certified(double residual, double size) const {
    return rule_.euclidean * (residual * rule_.contraction + (1 + size) * rule_.rounding) /
           (1 - rule_.contraction);
  }
  void accept(int64_t b, const double* trial, const double* f, double residual) {
    Row& row = rows_[b];
    const int64_t d = rule_.d;
    double* w = &w_[b * d];
    double* fw = &f_[b * d];
    const bool first = std::isinf(row.residual);
    if (!first && rule_.memory > 0) remember(b, trial, f);
    std::copy(trial, trial + d, w);
    std::copy(f, f + d, fw);
    row.residual = residual;
    row.bound = certified(residual, length(f));
  }

  // Appends the differences to the previous best point; the oldest makes room.
  void remember(int64_t b, const double* trial, const double* f) {
    Row& row = rows_[b];
    const int64_t d = rule_.d;
    double* dw = &dw_[b * d * rule_.memory];
    double* dr = &dr_[b * d * rule_.memory];
    if (row.steps == rule_.memory) {
      std::copy(dw + d, dw + d * rule_.memory, dw);
      std::copy(dr + d, dr + d * rule_.memory, dr);
      --row.steps;
    }
    for (int64_t k = 0; k < d; ++k) {
      const double w = w_[b * d + k];
      dw[row.steps * d + k] = trial[k] - w;
      dr[row.steps * d + k] = (f[k] - trial[k]) - (f_[b * d + k] - w);
    }
    ++row.steps;
  }

  // Where the constant is near 1, a plain step may change the residual by less than its rounding:
  // along a slope near 1 a longer step the same way lowers it, along one near -1 half a step. Both
  // are kept only if they lower it, as mixtures are.
  void propose(int64_t b, double* trial) {
    const Row& row = rows_[b];
    const int64_t d = rule_.d;
    const double* w = &w_[b * d];
    const double* f = &f_[b * d];
    if (row.relaxation == 0) {
      const int64_t at = b * d * rule_.memory;
      anderson_step(&dw_[at], &dr_[at], row.steps, d, w, f, trial);
    } else if (row.relaxation == 1) {
      std::copy(f, f + d, trial);
    } else {
      for (int64_t k = 0; k < d; ++k) trial[k] = w[k] + row.relaxation * (f[k] - w[k]);
    }
  }

  SolveRule rule_;
  std::vector<Row> rows_;
  std::vector<double> w_, f_, dw_, dr_;  // best point, its image, history
};

at::Tensor to_work(const at::Tensor& t) { return t.to(at::kCPU, at::kDouble).contiguous(); }

// Rows of `trial` that are still active, and their numbers.
struct Active {
  at::Tensor trial;  // [n, d], float64 on the CPU
  std::vector<int64_t> numbers;
};

// One evaluation of f and one decision per active row; keeps those that go on.
void iterate(const FixedPointMap& f, const at::TensorOptions& like, Rows& rows, Active& active,
             bool all) {
  const at::Tensor numbers =
      all ? at::Tensor() : at::tensor(active.numbers, at::kLong).to(like.device());
  const at::Tensor typed = active.trial.to(like);
  at::Tensor trial = to_work(typed);  // as f saw it, rounded
  if (trial.is_same(active.trial)) trial = trial.clone();
  const at::Tensor image = to_work(f(typed, numbers));
  auto* t = trial.data_ptr<double>();
  const auto* g = image.data_ptr<double>();
  const int64_t d = trial.size(1);
  const auto count = static_cast<int64_t>(active.numbers.size());
  parallel_for(0, count, 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) rows.advance(active.numbers[i], t + i * d, g + i * d);
  });
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < count; ++i) {
    if (rows[active.numbers[i]].state != RowState::kActive) continue;
    std::copy(t + i * d, t + (i + 1) * d, t + static_cast<int64_t>(kept.size()) * d);
    kept.push_back(active.numbers[i]);
  }
  active.trial = trial.narrow(0, 0, static_cast<int64_t>(kept.size()));
  active.numbers = std::move(kept);
}

SolveStatus worst_status(Rows& rows, int64_t count) {
  SolveStatus worst = SolveStatus::kConverged;
  for (int64_t b = 0; b < count; ++b) {
    switch (rows[b].state) {
      case RowState::kConverged:
        break;
      case RowState::kStalled:
        worst = std::max(worst, SolveStatus::kStalled);
        break;
      case RowState::kActive:
        worst = std::max(worst, SolveStatus::kMaxIterations);
        break;
      case RowState::kDiverged:
        worst = SolveStatus::kDiverged;
        break;
    }
  }
  return worst;
}

Solution collect(Rows& rows, int64_t count, int64_t d, const at::TensorOptions& like,
                 int64_t iterations) {
  at::Tensor value = at::empty({count, d}, at::kDouble);
  at::Tensor bound = at::empty({count}, at::kDouble);
  for (int64_t b = 0; b < count; ++b) {
    std::copy(rows.best(b), rows.best(b) + d, value.data_ptr<double>() + b * d);
    bound.data_ptr<double>()[b] = rows[b].bound;
  }
  // A bound must not be rounded down.
  return {value.to(like),
          {worst_status(rows, count), iterations, (bound * (1 + 0x1p-22)).to(like)}};
}

}  // namespace

void SolveReport::require_converged(std::string_view where, double tolerance) const {
  if (status == SolveStatus::kConverged) return;
  const at::Tensor worst = error_bound.nan_to_num(std::numeric_limits<double>::infinity()).argmax();
  const auto row = worst.item<int64_t>();
  const std::string got = status == SolveStatus::kDiverged
                              ? std::string("divergence")
                              : c10::str("a bound of ", error_bound[row].item<double>());
  fail<ConvergenceError>(where, "solve",
                         c10::str("an error of at most ", tolerance, " in every row"),
                         c10::str(got, " in row ", row, " after ", iterations, " evaluations"),
                         "Raise the tolerance or solver.max_iterations, lower the Lipschitz bound, "
                         "or compute in float64.");
}

SolveRule SolveRule::of(const at::Tensor& start, const LipschitzBound& bound, double tolerance,
                        const SolverOptions& options, double roundoff) {
  const double contraction = bound.constant;
  if (!(contraction >= 0 && contraction < 1)) {
    fail<DomainError>("solve_fixed_point", "contraction", "a constant in [0, 1)",
                      std::to_string(contraction), "The map must be a contraction.");
  }
  const int64_t d = start.size(1);
  const double rounding = 8 * std::max(roundoff, unit_roundoff(start.scalar_type())) *
                          std::pow(static_cast<double>(d), std::max(0.5, 1 / bound.order));
  const int64_t memory = options.method == SolverMethod::kAnderson
                             ? std::min({options.memory, d, kMostAndersonMemory})
                             : 0;
  return {
      contraction, tolerance, rounding, memory, d, bound.order, norm_ratio(bound.order, 2.0, d)};
}

Solution solve_fixed_point(const FixedPointMap& f, const at::Tensor& start,
                           const LipschitzBound& bound, double tolerance,
                           const SolverOptions& options, double roundoff) {
  if (!start.is_cpu() && start.numel() > kMostHostNumbers)
    return solve_fixed_point_on_tensors(f, start, bound, tolerance, options, roundoff);
  at::NoGradGuard guard;
  const SolveRule rule = SolveRule::of(start, bound, tolerance, options, roundoff);
  const int64_t count = start.size(0);
  Rows rows(count, rule);
  Active active{to_work(start.detach()), std::vector<int64_t>(count)};
  for (int64_t b = 0; b < count; ++b) active.numbers[b] = b;
  int64_t iterations = 0;
  while (!active.numbers.empty() && iterations < options.max_iterations) {
    iterate(f, start.options(), rows, active, static_cast<int64_t>(active.numbers.size()) == count);
    ++iterations;
  }
  return collect(rows, count, rule.d, start.options(), iterations);
}

}  // namespace contraflow
