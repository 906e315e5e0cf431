#include "contraflow/evaluation/block_facts.h"

#include <numeric>

namespace contraflow {
namespace {

BlockLaw law_of(const ContractiveMap& map, Phase phase, const RussianRoulette& options) {
  BlockLaw out;
  out.phase = phase;
  out.law = options.law;
  out.terms = *map.term_law(phase);
  const std::vector<double>& survival = out.terms.survival;
  out.expected_terms = std::accumulate(survival.begin(), survival.end(), 0.0);
  const auto goal = phase == Phase::kTrain ? RouletteGoal::kGradient : RouletteGoal::kValue;
  out.expected_passes = expected_passes(map.form(), out.terms, goal, options.probes);
  if (const auto found = map.calibration(phase)) {
    out.calibrated = true;
    out.gain = found->gain;
  }
  return out;
}

}  // namespace

std::vector<ContractiveBlockRef> contractive_blocks(const Flow& flow) {
  std::vector<ContractiveBlockRef> out;
  for (const Member& leaf : leaves_of(flow.transform())) {
    if (const ContractiveMap* map = leaf.transform->contractive())
      out.push_back({"block " + std::to_string(out.size() + 1), leaf.name, map});
  }
  return out;
}

std::vector<BlockLaw> block_laws(const Flow& flow) {
  std::vector<BlockLaw> out;
  for (const Phase phase : {Phase::kTrain, Phase::kEvaluate}) {
    for (const ContractiveBlockRef& block : contractive_blocks(flow)) {
      const auto* options = std::get_if<RussianRoulette>(&block.map->log_det(phase));
      if (options == nullptr) continue;
      out.push_back(law_of(*block.map, phase, *options));
      out.back().block = block.name;
    }
  }
  return out;
}

std::vector<BlockMatrix> block_matrices(const Flow& flow) {
  std::vector<BlockMatrix> out;
  for (const ContractiveBlockRef& block : contractive_blocks(flow)) {
    const ContractiveMap& map = *block.map;
    out.push_back({block.name, map.form_name(), map.learns_form(), map.form()});
  }
  return out;
}

}  // namespace contraflow
