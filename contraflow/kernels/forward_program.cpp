#include "contraflow/kernels/forward_program.h"

#include <algorithm>

namespace contraflow::kernels {
namespace {

// Whether every layer reads what the one before it wrote, and nothing else.
bool is_sequence(const TileNet& net) {
  for (size_t k = 1; k < net.layers.size(); ++k) {
    if (net.layers[k].in_begin != net.layers[k - 1].out_begin) return false;
  }
  return true;
}

int64_t feature_rows(const TileLayer& layer) {
  return layer.activated ? expansion(layer.activation) * layer.outputs : 0;
}

void share_features(TileNet& net) {
  int64_t widest = 0;
  for (const TileLayer& layer : net.layers) widest = std::max(widest, feature_rows(layer));
  const int64_t panels[] = {net.dim, net.dim + widest};
  for (size_t k = 0; k < net.layers.size(); ++k) {
    net.layers[k].out_begin = panels[k % 2];
    if (k > 0) net.layers[k].in_begin = panels[(k - 1) % 2];
  }
  net.features = net.dim + 2 * widest;
}

void share_pre_activations(TileNet& net) {
  net.z_rows = 0;
  for (TileLayer& layer : net.layers) {
    layer.z_begin = 0;
    net.z_rows = std::max(net.z_rows, layer.outputs);
  }
}

void share_slopes(TileNet& net) {
  net.slope_rows = 0;
  for (TileLayer& layer : net.layers) {
    layer.slope_begin = 0;
    net.slope_rows = std::max(net.slope_rows, feature_rows(layer));
  }
}

}  // namespace

TileProgram forward_program(const TileProgram& program) {
  TileProgram out = program;
  for (TileStep& step : out.steps) {
    auto* block = std::get_if<TileBlock>(&step);
    if (block == nullptr) continue;
    share_pre_activations(block->net);
    if (is_sequence(block->net)) share_features(block->net);
    if (!block->has_series()) share_slopes(block->net);
  }
  return out;
}

}  // namespace contraflow::kernels
