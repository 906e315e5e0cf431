#include "contraflow/evaluation/flow_facts.h"

#include <nlohmann/json.hpp>

#include "contraflow/evaluation/block_facts.h"

namespace contraflow {
namespace {

std::string type_of(const Transform& leaf) {
  const ContractiveMap* map = leaf.contractive();
  if (map == nullptr) return leaf.spec().at("type").get<std::string>();
  return (map->learns_form() ? "learned " : "") + map->form_name() + " block";
}

}  // namespace

std::vector<FlowPart> flow_parts(const Flow& flow) {
  std::vector<FlowPart> out;
  for (const Member& leaf : leaves_of(flow.transform())) {
    const std::string type = type_of(*leaf.transform);
    if (out.empty() || out.back().type != type) out.push_back({type, 0, 0});
    ++out.back().count;
    out.back().parameters += parameter_count(*leaf.transform);
  }
  return out;
}

std::vector<std::string> column_notes(const Flow& flow, int64_t dim) {
  std::vector<std::string> out(static_cast<size_t>(dim));
  for (const Member& leaf : leaves_of(flow.transform())) {
    const std::vector<std::string> notes = leaf.transform->feature_notes();
    if (notes.size() != out.size()) continue;
    for (size_t c = 0; c < out.size(); ++c) {
      if (notes[c].empty()) continue;
      out[c] += (out[c].empty() ? "" : ", ") + notes[c];
    }
  }
  return out;
}

std::optional<HardestBlock> hardest_block(const Flow& flow) {
  std::optional<HardestBlock> out;
  for (const ContractiveBlockRef& block : contractive_blocks(flow)) {
    const ContractiveMap& map = *block.map;
    const double kappa = map.net()->lipschitz();
    const bool proven = map.net()->proven() && (!out || out->proven);
    if (out && kappa <= out->kappa) {
      out->proven = proven;
      continue;
    }
    out = {kappa, proven, estimator_facts(map.log_det(Phase::kTrain), map.form(), kappa),
           estimator_facts(map.log_det(Phase::kEvaluate), map.form(), kappa)};
  }
  return out;
}

}  // namespace contraflow
