#include "contraflow/log_det/roulette.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

constexpr size_t kMostTerms = 4096;
constexpr double kNeverDrawn = 0x1p-53;  // below anything a 53-bit uniform can meet

double poisson_survival(double mean, int64_t count) {  // P(N >= count)
  // The upper tail summed directly: 1 - CDF loses all digits far out.
  double log_term = -mean + static_cast<double>(count) * std::log(mean) -
                    std::lgamma(static_cast<double>(count) + 1);
  double term = std::exp(log_term);
  double sum = 0;
  for (int64_t k = count; term > 1e-17 * sum || static_cast<double>(k) < mean; ++k) {
    sum += term;
    term *= mean / static_cast<double>(k + 1);
    if (term == 0) break;
  }
  return std::min(1.0, sum);
}

// A flat end would never stop; halving then keeps the expected cost finite.
double last_ratio(const std::vector<double>& survival) {
  const size_t n = survival.size();
  const double before = n >= 2 ? survival[n - 2] : 1.0;
  return survival.back() < before ? survival.back() / before : 0.5;
}

std::vector<double> poisson_table(std::vector<double> head, double mean) {
  for (int64_t m = 1; head.size() < kMostTerms; ++m) {
    head.push_back(poisson_survival(mean, m));
    if (head.back() < kNeverDrawn) break;
  }
  return head;
}

// Ratio of survival probabilities far out; 0 for Poisson, which falls faster than any power.
double survival_ratio(const RussianRoulette& options, const BlockForm& form, double kappa) {
  switch (options.law) {
    case RouletteLaw::kGeometric:
      return 1 - options.geometric_p;
    case RouletteLaw::kPoisson:
      return 0.0;
    case RouletteLaw::kGiven:
      return last_ratio(options.survival);
    case RouletteLaw::kOptimal:
      break;
  }
  return std::max(term_ratio(form, kappa), 0.5);  // nets of constant 0: still positive
}

}  // namespace

void validate(const RussianRoulette& options) {
  if (options.law != RouletteLaw::kGiven) return;
  const char* remedy = "List P_1 >= P_2 >= ... in (0, 1], or choose geometric or poisson.";
  if (options.survival.empty()) {
    fail<ConfigError>("roulette", "survival", "probabilities for law 'given'", "none", remedy);
  }
  double previous = 1.0;
  for (const double p : options.survival) {
    if (!(p > 0 && p <= previous)) {
      fail<ConfigError>("roulette", "survival", "non-increasing probabilities in (0, 1]",
                        std::to_string(p), remedy);
    }
    previous = p;
  }
}

std::vector<double> extend_survival(std::vector<double> head, double ratio) {
  while (head.size() < kMostTerms && head.back() >= kNeverDrawn) {
    head.push_back(head.back() * ratio);
  }
  return head;
}

TermLaw term_law(const RussianRoulette& options, const BlockForm& form, double kappa) {
  std::vector<double> head(static_cast<size_t>(options.exact_terms), 1.0);
  if (options.law == RouletteLaw::kPoisson) {
    return {0.0, poisson_table(std::move(head), options.poisson_mean)};
  }
  if (options.law == RouletteLaw::kGiven) {
    head.insert(head.end(), options.survival.begin(), options.survival.end());
  } else {
    head.push_back(1.0);  // the first random term
  }
  return {0.0, extend_survival(std::move(head), survival_ratio(options, form, kappa))};
}

std::optional<std::string> infinite_variance(const RussianRoulette& options, const BlockForm& form,
                                             double kappa) {
  const double squared = std::pow(term_ratio(form, kappa), 2);
  const double survival = survival_ratio(options, form, kappa);
  if (squared < survival || kappa == 0) return std::nullopt;
  if (options.law == RouletteLaw::kPoisson) {
    return "the variance is infinite: Poisson survival falls faster than any power";
  }
  return c10::str("the variance is not known to be finite: the squared ratio of terms ", squared,
                  " is not below the survival ratio ", survival);
}

at::Tensor draw_term_counts(const std::vector<double>& survival, int64_t rows, const Rng& rng) {
  constexpr double kGolden = 0.6180339887498949;
  // One shift for the whole batch, whichever rows of it are computed here.
  const double shift = rng.rows_from(0).uniform_at(0, 0);
  at::Tensor counts = at::empty({rows}, at::kLong);
  auto* out = counts.data_ptr<int64_t>();
  for (int64_t r = 0; r < rows; ++r) {
    const double position = shift + static_cast<double>(rng.first_row() + r) * kGolden;
    const double u = position - std::floor(position);
    size_t count = 0;
    while (count < survival.size() && u < survival[count]) ++count;
    out[r] = static_cast<int64_t>(count);
  }
  return counts;
}

}  // namespace contraflow
