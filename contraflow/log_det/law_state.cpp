#include "contraflow/log_det/law_state.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace contraflow {
namespace {

enum Field { kCalls, kInterval, kTerms, kShift, kRatio, kPasses, kGain, kFirst };
constexpr double kNever = -1;
// A fresh net's Jacobian grows within tens of steps, and a law that expects no tails is then a bad
// one: the first intervals are short and double up to the chosen one.
constexpr double kFirstInterval = 10;

}  // namespace

LawState::LawState(const RussianRoulette& options, RouletteGoal goal)
    : options_(options), goal_(goal) {
  law_ = register_buffer("law", at::zeros({kFirst + kMostMeasuredTerms}, at::kDouble));
  auto* law = numbers();
  law[kCalls] = kNever;
  law[kInterval] = std::min(kFirstInterval, static_cast<double>(options_.calibrate_every));
}

double* LawState::numbers() {
  restore_float64(law_);
  return law_.data_ptr<double>();
}

bool LawState::due() const {
  const at::Tensor numbers = float64_on_cpu(law_);
  const auto* law = numbers.const_data_ptr<double>();
  return law[kCalls] == kNever || law[kCalls] >= law[kInterval];
}

void LawState::postpone() {
  if (due()) numbers()[kCalls] = 0;
}

void LawState::count() { numbers()[kCalls] += 1; }

void LawState::update(const BlockForm& form, const NetPoint& point, double kappa, const Rng& rng) {
  const auto found = calibrate(form, point, kappa, options_, goal_, rng);
  auto* law = numbers();
  if (law[kCalls] != kNever) {
    law[kInterval] = std::min(2 * law[kInterval], static_cast<double>(options_.calibrate_every));
  }
  law[kCalls] = 0;
  if (!found) return;
  law_.narrow(0, kTerms, law_.size(0) - kTerms).zero_();
  law[kTerms] = static_cast<double>(found->survival.size());
  law[kShift] = found->shift;
  law[kRatio] = found->ratio;
  law[kPasses] = found->passes;
  law[kGain] = found->gain;
  std::copy(found->survival.begin(), found->survival.end(), law + kFirst);
}

std::optional<Calibration> LawState::calibration() const {
  const at::Tensor numbers = float64_on_cpu(law_);
  const auto* law = numbers.const_data_ptr<double>();
  const auto* end = law + kFirst + static_cast<std::ptrdiff_t>(law[kTerms]);
  while (end != law + kFirst && end[-1] == 0.0) --end;  // half precision ends at 2^-24
  if (end == law + kFirst) return std::nullopt;
  return Calibration{law[kShift], std::vector<double>(law + kFirst, end), law[kRatio], law[kPasses],
                     law[kGain]};
}

TermLaw LawState::law(const BlockForm& form, double kappa) const {
  if (const auto known = calibration()) {
    if (auto law = calibrated_law(form, kappa, known->shift, known->survival, known->ratio)) {
      return *law;
    }
  }
  return term_law(options_, form, kappa);
}

}  // namespace contraflow
