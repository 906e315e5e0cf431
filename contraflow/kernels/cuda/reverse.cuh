#pragma once

#include "contraflow/kernels/cuda/net.cuh"

namespace contraflow::kernels::cuda {

/// Bars of one activation's pre-activations from those of its features, in s.layer_bar. This lane's
/// rows, no sync.
template <class Team, class T>
CF_HD inline void value_down(const Team& team, const FlatLayer& layer, const Sample<T>& s) {
  const int32_t halves = is_paired(layer.kind) ? 2 : 1;
  for_rows(team, layer.outputs, [&](int32_t o) {
    T sum = 0;
    for (int32_t h = 0; h < halves; ++h) {
      const int32_t row = h * layer.outputs + o;
      sum += s.slope[layer.slope_begin + row] * s.features_bar[layer.out_begin + row];
    }
    s.layer_bar[o] = sum;
  });
}

/// out = J^T u. Uses s.features_bar and s.layer_bar; `u` may be `out`.
template <class Team, class T>
CF_HD inline void vjp(const Team& team, const Net<T>& net, const Sample<T>& s, Column<T> u,
                      Column<T> out) {
  for (int32_t k = net.count; k-- > 0;) {
    const FlatLayer& layer = net.layers[k];
    if (layer.activated) {
      value_down(team, layer, s);
      team.sync();
    }
    linear_down(team, layer, net.weights, layer.activated ? s.layer_bar : u, s.features_bar);
    team.sync();
  }
  for_rows(team, net.dim, [&](int32_t r) { out[r] = s.features_bar[r]; });
  team.sync();
}

}  // namespace contraflow::kernels::cuda
