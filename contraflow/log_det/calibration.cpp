#include "contraflow/log_det/calibration.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "contraflow/log_det/series.h"

namespace contraflow {
namespace {

constexpr int64_t kMostNumbers = 1 << 16;  // of one chain vector: 128 of them stay in memory
constexpr int64_t kProbeSets = 2;          // two independent ones tell the variance of the probes
constexpr double kNegligible = 1e-3;       // a term against the sum so far ends the measurement
constexpr double kShiftMargin = 0.95;
// Passes without a term: value, forward, dual reverse on pairs, gradients (docs/numerics.md,
// "Derivatives of a network without a graph"); the solves of an implicit form, there and back, at
// the training tolerances; value only.
constexpr double kGradientPasses = 7;
constexpr double kSolvePasses = 16;
constexpr double kValuePasses = 2;
// Probe variance of a batch's gradient over the energy of u. Independent probes: 1 - 1/d for
// isotropic sensitivities; the orthogonal Rademacher probes of a batch: .14 to .15 of that,
// measured (docs/decisions/0007-orthogonal-probes.md). The optimum is flat in it.
constexpr double kOrthogonalVariance = 0.15;
constexpr double kLeastProbeVariance = 0.05;

// The series at one shift.
struct Measured {
  TailProfile profile;
  double ratio = 0;       // of sizes, measured over the last terms
  size_t reliable = 1;    // terms whose tail is well above what was not measured
  double mean_slope = 0;  // tr K / d
};

double fixed_passes(const BlockForm& form, RouletteGoal goal, int64_t probes) {
  const double solve = form.explicit_forward() ? 0.0 : kSolvePasses;
  if (goal == RouletteGoal::kValue) return kValuePasses + solve / 2;
  return kGradientPasses + solve + 2 * static_cast<double>(probes - 1);
}

double term_passes(const BlockForm& form, int64_t term, int64_t probes) {
  const int before = term > 1 ? power_of_term(form, term - 1) : 0;
  return static_cast<double>((power_of_term(form, term) - before) * probes);
}

double mean_square(const at::Tensor& t) { return t.to(at::kDouble).pow(2).mean().item<double>(); }

// Tail energies from the terms, last to first.
std::vector<double> energies(const std::vector<at::Tensor>& terms) {
  std::vector<double> out(terms.size());
  at::Tensor tail = at::zeros_like(terms.back());
  for (size_t k = terms.size(); k-- > 0;) {
    tail = tail + terms[k];
    out[k] = mean_square(tail);
  }
  return out;
}

// Terms of the gradient's vector [2p, b, d] and of the value [2, b], and what follows from them.
class Measurement {
 public:
  Measurement(const BlockForm& form, const NetPoint& point, const at::Tensor& v,
              const RussianRoulette& options, RouletteGoal goal)
      : form_(form), point_(point), v_(v), options_(options), goal_(goal) {}

  Measured at_shift(double shift) const {
    const BlockForm shifted = form_.shifted(shift);
    Measured out;
    std::vector<at::Tensor> vectors, values;
    at::Tensor w = v_, total = at::zeros_like(v_);
    std::vector<double> sizes;
    for (int64_t j = 1, power = 0; j <= kMostMeasuredTerms; ++j) {
      const int next = power_of_term(shifted, j);
      for (; power < next - 1; ++power) w = shifted_vjp(point_, w, shift);
      const double s = series_coefficient(shifted, next);
      vectors.push_back(w * (s * next));
      w = shifted_vjp(point_, w, shift);
      values.push_back(traces(w) * s);
      if (j == 1) out.mean_slope = traces(w).mean().item<double>() / static_cast<double>(dim());
      out.profile.cost.push_back(term_passes(shifted, j, options_.probes));
      power = next;
      total = total + vectors.back();
      sizes.push_back(std::sqrt(mean_square(vectors.back())));
      if (!(sizes.back() > kNegligible * std::sqrt(mean_square(total)))) break;
    }
    complete(out, vectors, values, sizes);
    return out;
  }

 private:
  int64_t dim() const { return v_.size(2); }

  // v.w as the estimator sees it: mean over the probes of each set, [sets, b].
  at::Tensor traces(const at::Tensor& w) const {
    const at::Tensor dots = (w * v_).sum(-1).to(at::kDouble);
    return dots.view({kProbeSets, options_.probes, v_.size(1)}).mean(1);
  }

  void complete(Measured& out, const std::vector<at::Tensor>& vectors,
                const std::vector<at::Tensor>& values, const std::vector<double>& sizes) const {
    const bool gradient = goal_ == RouletteGoal::kGradient;
    out.profile.energy = energies(gradient ? vectors : values);
    out.profile.fixed_cost = fixed_passes(form_, goal_, options_.probes);
    out.profile.probe_variance =
        gradient ? gradient_probe_variance(out.profile.energy[0]) : value_probe_variance(values);
    const size_t n = sizes.size();
    const size_t span = std::min<size_t>(n - 1, 4);
    out.ratio = span == 0
                    ? 0.0
                    : std::pow(sizes[n - 1] / sizes[n - 1 - span], 1.0 / static_cast<double>(span));
    // What the measurement leaves out is about the last term times q / (1 - q).
    const double q = std::min(out.ratio, 0.98);
    const double rest =
        energies({(gradient ? vectors : values).back()})[0] * std::pow(q / (1 - q), 2);
    while (out.reliable < n && out.profile.energy[out.reliable] > 16 * rest) ++out.reliable;
  }

  // Isotropic sensitivities: a gradient sum_ij u_i v_j dJ_ij of energy d |u|^2 has a mean of energy
  // |u|^2; p probes divide the first by p (docs/numerics.md).
  double gradient_probe_variance(double energy) const {
    const auto p = static_cast<double>(options_.probes);
    const double random = 1 - p / (static_cast<double>(dim()) + p - 1);
    const double left = options_.probe == ProbeKind::kRademacher ? kOrthogonalVariance : 1.0;
    return energy * std::max(random * left, kLeastProbeVariance);
  }

  double value_probe_variance(const std::vector<at::Tensor>& values) const {
    at::Tensor sum = at::zeros_like(values[0]);
    for (const at::Tensor& t : values) sum = sum + t;
    return mean_square(sum.select(0, 0) - sum.select(0, 1)) / 2;
  }

  const BlockForm& form_;
  const NetPoint& point_;
  at::Tensor v_;
  const RussianRoulette& options_;
  RouletteGoal goal_;
};

bool usable(const Measured& m) {
  const auto good = [](double e) { return std::isfinite(e) && e > 0; };
  return std::all_of(m.profile.energy.begin(), m.profile.energy.end(), good) &&
         std::isfinite(m.profile.probe_variance) && std::isfinite(m.ratio);
}

double product(const TailProfile& profile, const std::vector<double>& survival) {
  return expected_cost(profile, survival) * expected_variance(profile, survival);
}

struct Choice {
  Calibration calibration;
  double product;
};

std::optional<Choice> choose(const BlockForm& form, double kappa, double shift,
                             const Measured& measured) {
  if (!usable(measured)) return std::nullopt;
  Choice out;
  out.calibration.shift = shift;
  out.calibration.ratio = measured.ratio;
  out.calibration.survival = optimal_survival(measured.profile);
  out.calibration.survival.resize(measured.reliable);
  const auto law = calibrated_law(form, kappa, shift, out.calibration.survival, measured.ratio);
  if (!law) return std::nullopt;
  out.calibration.passes = expected_cost(measured.profile, law->survival);
  out.product = product(measured.profile, law->survival);
  return out;
}

}  // namespace

std::optional<Calibration> calibrate(const BlockForm& form, const NetPoint& point, double kappa,
                                     const RussianRoulette& options, RouletteGoal goal,
                                     const Rng& rng) {
  const int64_t d = point.value().size(1);
  const int64_t sets = kProbeSets * options.probes;
  const int64_t rows = std::min(
      {point.value().size(0), kMostMeasuredRows, std::max<int64_t>(kMostNumbers / (sets * d), 8)});
  const auto part = point.narrow(rows);
  std::vector<at::Tensor> probes;
  for (uint64_t set = 0; set < kProbeSets; ++set) {
    probes.push_back(draw_probes(options.probe, options.probes, rows, d, point.value().options(),
                                 rng.fork("probes").fork(set)));
  }
  const at::Tensor v = at::cat(probes);
  const Measurement measurement(form, *part, v, options, goal);
  const Measured plain = measurement.at_shift(0.0);
  std::optional<Choice> best = choose(form, kappa, 0.0, plain);
  if (!best) return std::nullopt;
  const double standard =
      product(plain.profile, term_law({.exact_terms = 2, .geometric_p = 0.5}, form, 0.0).survival);
  double limit = best->product * kShiftMargin;
  for (const double fraction : {1.0, 0.5}) {
    const double shift = admissible_shift(form, kappa, plain.mean_slope * fraction);
    if (shift == 0) continue;
    const auto found = choose(form, kappa, shift, measurement.at_shift(shift));
    if (!found || found->product >= limit) continue;
    best = found;
    limit = found->product;
  }
  best->calibration.gain = standard / best->product;
  return best->calibration;
}

double expected_passes(const BlockForm& form, const TermLaw& law, RouletteGoal goal,
                       int64_t probes) {
  const BlockForm shifted = form.shifted(law.shift);
  double sum = fixed_passes(form, goal, probes);
  for (size_t k = 0; k < law.survival.size(); ++k) {
    sum += law.survival[k] * term_passes(shifted, static_cast<int64_t>(k) + 1, probes);
  }
  return sum;
}

std::optional<TermLaw> calibrated_law(const BlockForm& form, double kappa, double shift,
                                      const std::vector<double>& survival, double ratio) {
  constexpr double kSlowest = 0.999;
  const BlockForm shifted = form.shifted(shift);
  if (shifted.series_ratio(kappa + std::abs(shift)) >= 1) return std::nullopt;
  const double rho = std::clamp(term_ratio(shifted, kappa + std::abs(shift)), 1e-3, kSlowest);
  return TermLaw{shift, extend_survival(survival, std::clamp(ratio, std::pow(rho, 1.5), rho))};
}

}  // namespace contraflow
