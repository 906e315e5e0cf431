#pragma once

#include "contraflow/kernels/cuda/sample.cuh"

namespace contraflow::kernels::cuda {

// Parameter gradients: sums over samples in a fixed order, without atomics. Each thread owns
// entries of its block's partial sum and adds the block's samples one after another; a second
// kernel adds the blocks' partial sums, one after another.

/// The samples of one tile, as the threads of a block divide its sums among themselves.
template <class T>
struct TileSums {
  Sample<T> first;  ///< the first sample's memory; the others' stand beside it
  int32_t active;   ///< samples at work
  int32_t thread;
  int32_t threads;

  CF_HD T row_sum(Column<T> column, int32_t row) const {
    const T* from = &column[row];
    T sum = 0;
    for (int32_t k = 0; k < active; ++k) sum += from[k];
    return sum;
  }
};

/// Adds kInputs neighbouring entries (input i ..., output o) of a weight's gradient, the bars times
/// the features of the values and of every tangent.
template <int kInputs, class T>
CF_HD inline void add_outer(const TileSums<T>& tile, const FlatStep& step, const FlatLayer& layer,
                            int32_t i, int32_t o, T* out) {
  T sums[kInputs] = {};
  const Column<T> bars = tile.first.z_bar, features = tile.first.features;
  for (int32_t p = 0; p <= step.tangents; ++p) {
    const T* bar = &bars[p * step.z_rows + layer.z_begin + o];
    const T* in = &features[p * step.features + layer.in_begin + i];
    for (int32_t k = 0; k < tile.active; ++k) {
      for (int j = 0; j < kInputs; ++j) sums[j] += bar[k] * in[int64_t{j} * features.stride + k];
    }
  }
  for (int j = 0; j < kInputs; ++j) out[int64_t{i + j} * layer.outputs + o] += sums[j];
}

template <class T>
CF_HD inline void add_weight_gradient(const TileSums<T>& tile, const FlatStep& step,
                                      const FlatLayer& layer, T* out) {
  constexpr int kInputs = 4;
  const int32_t whole = layer.inputs / kInputs, rest = layer.inputs % kInputs;
  const int32_t pieces = (whole + rest) * layer.outputs;
  for (int32_t piece = tile.thread; piece < pieces; piece += tile.threads) {
    const int32_t group = piece / layer.outputs, o = piece % layer.outputs;
    if (group < whole) {
      add_outer<kInputs>(tile, step, layer, group * kInputs, o, out);
    } else {
      add_outer<1>(tile, step, layer, whole * kInputs + group - whole, o, out);
    }
  }
  out += int64_t{layer.inputs} * layer.outputs;
  for (int32_t o = tile.thread; o < layer.outputs; o += tile.threads)
    out[o] += tile.row_sum(tile.first.z_bar, layer.z_begin + o);
}

/// Adds a block's gradients, in the layout of TileLayer::gradient_begin.
template <class T>
CF_HD inline void add_block_gradients(const TileSums<T>& tile, const FlatStep& step,
                                      const FlatLayer* layers, T* gradient) {
  for (int32_t l = 0; l < step.layer_count; ++l) {
    const FlatLayer& layer = layers[l];
    T* out = gradient + layer.gradient_begin;
    if (layer.weight != nullptr) {
      add_weight_gradient(tile, step, layer, out);
      out += int64_t{layer.inputs + 1} * layer.outputs;
    }
    if (!layer.activated || !uses_beta(layer.kind) || tile.thread != l % tile.threads) continue;
    T sum = 0;
    for (int32_t o = 0; o < layer.outputs; ++o)
      sum += tile.row_sum(tile.first.beta, layer.z_begin + o);
    *out += sum / static_cast<T>(layer.beta);
  }
}

/// Adds an affine step's gradients: of scale [dim], then of shift [dim].
template <class T>
CF_HD inline void add_affine_gradients(const TileSums<T>& tile, const FlatStep& step, int32_t dim,
                                       T* gradient) {
  T* out = gradient + step.gradient_begin;
  for (int32_t r = tile.thread; r < 2 * dim; r += tile.threads)
    out[r] += r < dim ? tile.row_sum(tile.first.right, r) : tile.row_sum(tile.first.trial, r - dim);
}

/// gradient[entry] += every block's partial sum, in the order of the blocks.
template <class T>
CF_HD inline void reduce_entry(const Run<T>& run, int64_t entry) {
  T sum = 0;
  for (int64_t block = 0; block < run.layout.blocks; ++block)
    sum += run.partial[block * run.gradient_size + entry];
  run.gradient[entry] += sum;
}

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
