#include "contraflow/kernels/float32_program.h"

namespace contraflow::kernels {

Float32Program::Float32Program(const TileProgram& program, int64_t batch) : program_(program) {
  program_.condition = rounded(program.condition, batch * program.conditions);
  for (TileStep& step : program_.steps) {
    auto* block = std::get_if<TileBlock>(&step);
    if (block == nullptr) continue;
    block->series.probes = nullptr;
    block->to_rounding = false;
    for (TileLayer& layer : block->net.layers) {
      layer.weight = rounded(layer.weight, layer.outputs * layer.inputs);
      layer.bias = rounded(layer.bias, layer.outputs);
      layer.condition_weight = rounded(layer.condition_weight, layer.outputs * layer.conditions);
    }
  }
}

const void* Float32Program::rounded(const void* values, int64_t count) {
  if (values == nullptr) return nullptr;
  const auto* from = static_cast<const double*>(values);
  std::vector<float>& to = kept_.emplace_back(static_cast<size_t>(count));
  for (int64_t k = 0; k < count; ++k) to[static_cast<size_t>(k)] = static_cast<float>(from[k]);
  return to.data();
}

}  // namespace contraflow::kernels
