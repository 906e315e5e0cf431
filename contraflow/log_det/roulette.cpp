#include "contraflow/log_det/roulette.h"

#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

// Beyond this a survival probability is below anything a 53-bit uniform can meet.
constexpr int64_t kMostTerms = 4096;

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

double given_survival(const std::vector<double>& survival, int64_t m) {
  const auto last = static_cast<int64_t>(survival.size());
  if (m <= last) return survival[static_cast<size_t>(m - 1)];
  const double before = last >= 2 ? survival[static_cast<size_t>(last - 2)] : 1.0;
  // A flat end would never stop; halving then keeps the expected cost finite.
  const double ratio = survival.back() < before ? survival.back() / before : 0.5;
  return survival.back() * std::pow(ratio, static_cast<double>(m - last));
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

double survival_probability(const RussianRoulette& options, int64_t term) {
  const int64_t m = term - options.exact_terms;
  if (m <= 0) return 1.0;
  switch (options.law) {
    case RouletteLaw::kGeometric:
      return std::pow(1 - options.geometric_p, static_cast<double>(m - 1));
    case RouletteLaw::kPoisson:
      return poisson_survival(options.poisson_mean, m);
    case RouletteLaw::kGiven:
      return given_survival(options.survival, m);
  }
  return 0.0;
}

at::Tensor draw_term_counts(const RussianRoulette& options, int64_t rows, const Rng& rng) {
  constexpr double kGolden = 0.6180339887498949;
  // One shift for the whole batch, whichever rows of it are computed here.
  const double shift = rng.rows_from(0).uniform_at(0, 0);
  std::vector<double> survival;
  const auto probability = [&](int64_t j) {
    while (static_cast<int64_t>(survival.size()) < j) {
      survival.push_back(survival_probability(options, static_cast<int64_t>(survival.size()) + 1));
    }
    return survival[static_cast<size_t>(j - 1)];
  };
  at::Tensor counts = at::empty({rows}, at::kLong);
  auto* out = counts.data_ptr<int64_t>();
  for (int64_t r = 0; r < rows; ++r) {
    const double position = shift + static_cast<double>(rng.first_row() + r) * kGolden;
    const double u = position - std::floor(position);
    int64_t count = 0;
    while (count < kMostTerms && u < probability(count + 1)) ++count;
    out[r] = count;
  }
  return counts;
}

double roulette_variance(const RussianRoulette& options, const std::vector<double>& terms) {
  double tail = 0;  // T_{j+1}
  double sum = 0;
  for (auto j = static_cast<int64_t>(terms.size()); j >= 1; --j) {
    const double here = tail + terms[static_cast<size_t>(j - 1)];
    sum += (here * here - tail * tail) / survival_probability(options, j);
    tail = here;
  }
  return sum - tail * tail;
}

}  // namespace contraflow
