#include "contraflow/evaluation/exact_cost.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/evaluation/block_facts.h"
#include "contraflow/evaluation/scores.h"

namespace contraflow {
namespace {

// A point tells what its Jacobian takes; where it lies does not matter.
JacobianCost cost_of(const ContractiveMap& map, const at::TensorOptions& kind) {
  const at::NoGradGuard no_grad;
  const ContractiveNet& net = *map.net();
  const at::Tensor w = at::zeros({1, net.dim()}, kind);
  const at::Tensor condition =
      net.condition_size() > 0 ? at::zeros({1, net.condition_size()}, kind) : at::Tensor();
  return jacobian_cost(*net.linearize(w, condition));
}

// A I + B J and C I + D J, where J is in them.
int64_t matrices_of(const BlockForm& form) { return (form.b != 0 ? 1 : 0) + (form.d != 0 ? 1 : 0); }

double lu_operations(const ScaleFacts& scale) {
  const auto d = static_cast<double>(scale.cost.features);
  return static_cast<double>(scale.decompositions) * 2.0 / 3.0 * d * d * d;
}

}  // namespace

std::vector<ScaleFacts> scale_facts(const Flow& flow) {
  std::vector<ScaleFacts> out;
  for (const Member& leaf : leaves_of(flow.transform())) {
    const ContractiveMap* map = leaf.transform->contractive();
    if (map == nullptr) continue;
    const std::vector<int64_t> event = leaf.transform->event_shape();
    if (out.empty() || out.back().event != event)
      out.push_back({.event = event, .has_radius = true});
    ScaleFacts& scale = out.back();
    ++scale.blocks;
    scale.parameters += parameter_count(*leaf.transform);
    const std::optional<int64_t> radius = map->net()->receptive_radius();
    scale.has_radius = scale.has_radius && radius.has_value();
    scale.radius = std::max(scale.radius, radius.value_or(0));
    scale.decompositions += matrices_of(map->form());
    const JacobianCost cost = cost_of(*map, kind_of(flow));
    if (cost.numbers > scale.cost.numbers) scale.cost = cost;
  }
  return out;
}

ExactCost exact_cost(const std::vector<ScaleFacts>& scales, int64_t bytes_per_number) {
  ExactCost out;
  for (const ScaleFacts& scale : scales) {
    out.blocks += scale.blocks;
    out.features = std::max(out.features, scale.cost.features);
    out.products += scale.blocks * scale.cost.products;
    out.bytes_per_row = std::max(out.bytes_per_row, scale.cost.numbers * bytes_per_number);
    out.operations += lu_operations(scale);
  }
  return out;
}

ExactCost exact_cost(const Flow& flow) {
  return exact_cost(scale_facts(flow), static_cast<int64_t>(kind_of(flow).dtype().itemsize()));
}

bool evaluates_exactly(const Flow& flow) {
  const std::vector<ContractiveBlockRef> blocks = contractive_blocks(flow);
  return std::any_of(blocks.begin(), blocks.end(), [](const ContractiveBlockRef& block) {
    return block.map->net()->dim() > 2 &&
           std::holds_alternative<ExactLogDet>(block.map->log_det(Phase::kEvaluate));
  });
}

}  // namespace contraflow
