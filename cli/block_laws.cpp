#include "cli/block_laws.h"

#include <numeric>

#include "cli/console.h"
#include "contraflow/core/text.h"
#include "contraflow/transforms/contractive_map.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

// Terms that fewer than one row in a thousand computes are not worth a reader's line.
constexpr double kLeastShown = 1e-3;
constexpr size_t kMostShown = 8;

BlockLaw law_of(const ContractiveMap& block, Phase phase, const RussianRoulette& options) {
  const bool training = phase == Phase::kTrain;
  BlockLaw out;
  out.phase = training ? "training" : "evaluation";
  out.law = options.law;
  out.terms = *block.term_law(phase);
  const std::vector<double>& survival = out.terms.survival;
  out.expected_terms = std::accumulate(survival.begin(), survival.end(), 0.0);
  out.expected_passes =
      expected_passes(block.form(), out.terms,
                      training ? RouletteGoal::kGradient : RouletteGoal::kValue, options.probes);
  if (const auto found = block.calibration(phase)) {
    out.calibrated = true;
    out.gain = found->gain;
  }
  return out;
}

std::string survival_text(const std::vector<double>& survival) {
  std::string out;
  for (size_t k = 0; k < survival.size() && survival[k] >= kLeastShown; ++k) {
    if (k == kMostShown) return out + " ...";
    out += (k > 0 ? " " : "") + (survival[k] == 1.0 ? "1" : fixed(survival[k], 3).substr(1));
  }
  return out;
}

std::string law_text(const BlockLaw& law) {
  const std::string name = enum_name(law.law);
  if (law.law != RouletteLaw::kOptimal || law.calibrated) return name;
  return name + ", not calibrated yet";
}

}  // namespace

std::vector<BlockLaw> block_laws(const Flow& flow) {
  std::vector<BlockLaw> out;
  for (const Phase phase : {Phase::kTrain, Phase::kEvaluate}) {
    int64_t number = 0;
    for (const Member& leaf : leaves_of(flow.transform())) {
      const ContractiveMap* block = leaf.transform->contractive();
      if (block == nullptr) continue;
      ++number;
      const auto* options = std::get_if<RussianRoulette>(&block->log_det(phase));
      if (options == nullptr) continue;
      out.push_back(law_of(*block, phase, *options));
      out.back().block = "block " + std::to_string(number);
    }
  }
  return out;
}

Json block_laws_json(const std::vector<BlockLaw>& laws) {
  Json out = Json::array();
  for (const BlockLaw& law : laws) {
    const std::vector<double>& all = law.terms.survival;
    size_t shown = 0;
    while (shown < all.size() && all[shown] >= kLeastShown) ++shown;
    out.push_back(
        {{"block", law.block},
         {"phase", law.phase},
         {"law", enum_name(law.law)},
         {"calibrated", law.calibrated},
         {"shift", law.terms.shift},
         {"expected_terms", law.expected_terms},
         {"expected_passes", law.expected_passes},
         {"gain", law.calibrated ? json_number(law.gain) : Json(nullptr)},
         {"survival",
          std::vector<double>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(shown))}});
  }
  return out;
}

std::string block_laws_text(const std::vector<BlockLaw>& laws) {
  if (laws.empty()) return "";
  const auto left = Align::kLeft, right = Align::kRight;
  TextTable table({"block", "phase", "law", "terms", "passes", "shift", "gain", "P_1, P_2, ..."},
                  {left, left, left, right, right, right, right, left});
  for (const BlockLaw& law : laws) {
    table.add_row({law.block, law.phase, law_text(law), fixed(law.expected_terms, 2),
                   fixed(law.expected_passes, 2), fixed(law.terms.shift, 3),
                   law.calibrated ? fixed(law.gain, 2) : "-", survival_text(law.terms.survival)});
  }
  return table.str() +
         "terms and passes: expected for a row, passes through the network for one step "
         "(training)\n"
         "or value (evaluation); gain: cost x variance of geometric(.5) + 2 over this law's\n";
}

}  // namespace contraflow::cli
