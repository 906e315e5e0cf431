#pragma once

#include "contraflow/kernels/cuda/plain.h"

namespace contraflow::kernels::cuda {

/// One step's weights times scale and multipliers, and its biases, in the packed order.
template <class T>
CF_HD inline void pack_step(const Run<T>& run, const FlatStep& step, int32_t thread,
                            int32_t threads) {
  for (int32_t l = 0; l < step.layer_count; ++l) {
    const FlatLayer& layer = run.layers[step.layer_begin + l];
    T* out = run.packed + step.packed_begin + layer.packed;
    const T* w = static_cast<const T*>(layer.weight);
    const T* bias = static_cast<const T*>(layer.bias);
    if (w != nullptr) {
      for (int32_t k = thread; k < layer.inputs * layer.outputs; k += threads) {
        const int32_t o = k / layer.inputs, i = k % layer.inputs;
        const double m = layer.multipliers < 0 ? 1.0 : run.numbers[layer.multipliers + i];
        out[i * layer.pitch + o] = w[k] * static_cast<T>(layer.scale * m);
      }
    }
    if (bias == nullptr) continue;
    out = run.packed + step.packed_begin + layer.bias_begin();
    for (int32_t o = thread; o < layer.outputs; o += threads) out[o] = bias[o];
  }
}

}  // namespace contraflow::kernels::cuda
