#pragma once

#include "contraflow/kernels/cuda/jets.cuh"
#include "contraflow/kernels/cuda/sample.cuh"

namespace contraflow::kernels::cuda {

/// A block's net and its packed weights.
template <class T>
struct Net {
  const FlatLayer* layers = nullptr;
  int32_t count = 0;
  const T* weights = nullptr;
  int32_t dim = 0;
  int32_t features = 0;  ///< rows of a panel
  int32_t z_rows = 0;

  CF_HD int32_t output() const { return layers[count - 1].z_begin; }
};

template <int kRows, class T>
CF_HD inline void dot_rows(const T* w, int64_t row_step, int32_t depth_step, int32_t depth,
                           Column<T> in, T* sums) {
  for (int j = 0; j < kRows; ++j) sums[j] = 0;
  for (int32_t k = 0; k < depth; ++k) {
    const T value = in[k];
    for (int j = 0; j < kRows; ++j)
      sums[j] += w[j * row_step + static_cast<int64_t>(k) * depth_step] * value;
  }
}

/// out[r] (+)= sum_k w[r row_step + k depth_step] in[k] for this lane's rows. No sync.
template <bool kAdd, class Team, class T>
CF_HD inline void product(const Team& team, const T* w, int32_t rows, int32_t row_step,
                          int32_t depth, int32_t depth_step, Column<T> in, Column<T> out) {
  constexpr int kBlock = 4;
  const int32_t lanes = team.lanes();
  T sums[kBlock];
  int32_t r = team.lane();
  for (; r + (kBlock - 1) * lanes < rows; r += kBlock * lanes) {
    dot_rows<kBlock>(w + static_cast<int64_t>(r) * row_step, int64_t{lanes} * row_step, depth_step,
                     depth, in, sums);
    for (int j = 0; j < kBlock; ++j) {
      T& to = out[r + j * lanes];
      to = kAdd ? to + sums[j] : sums[j];
    }
  }
  for (; r < rows; r += lanes) {
    dot_rows<1>(w + static_cast<int64_t>(r) * row_step, 0, depth_step, depth, in, sums);
    out[r] = kAdd ? out[r] + sums[0] : sums[0];
  }
}

// z = W f over one panel. No sync.
template <class Team, class T>
CF_HD inline void linear(const Team& team, const FlatLayer& layer, const T* weights,
                         Column<T> features, Column<T> z) {
  const Column<T> in = features.from(layer.in_begin), out = z.from(layer.z_begin);
  if (layer.weight == nullptr) {
    for_rows(team, layer.outputs, [&](int32_t o) { out[o] = in[o]; });
    return;
  }
  product<false>(team, weights + layer.packed, layer.outputs, 1, layer.inputs, layer.pitch, in,
                 out);
}

// Bar of a layer's input features (+)= W^T z_bar over one panel. No sync.
template <class Team, class T>
CF_HD inline void linear_down(const Team& team, const FlatLayer& layer, const T* weights,
                              Column<T> z_bar, Column<T> features_bar) {
  const Column<T> in = features_bar.from(layer.in_begin);
  if (layer.weight == nullptr) {
    for_rows(team, layer.outputs,
             [&](int32_t o) { in[o] = layer.shares_input ? in[o] + z_bar[o] : z_bar[o]; });
    return;
  }
  const T* w = weights + layer.packed;
  if (layer.shares_input) {
    product<true>(team, w, layer.inputs, layer.pitch, layer.outputs, 1, z_bar, in);
  } else {
    product<false>(team, w, layer.inputs, layer.pitch, layer.outputs, 1, z_bar, in);
  }
}

// z += bias; features = phi(z); slope and curvature. This lane's rows, no sync.
template <class Team, class T>
CF_HD inline void activate(const Team& team, const FlatLayer& layer, const T* bias,
                           const Sample<T>& s) {
  const auto write = [&](const Jet<T>& jet, int32_t row) {
    s.features[layer.out_begin + row] = jet.value;
    s.slope[layer.slope_begin + row] = jet.slope;
  };
  for_rows(team, layer.outputs, [&](int32_t o) {
    T& z = s.z[layer.z_begin + o];
    if (bias != nullptr) z += bias[o];
    const JetPair<T> pair = jets(layer.kind, z, static_cast<T>(layer.beta));
    write(pair.first, o);
    if (is_paired(layer.kind)) write(pair.second, layer.outputs + o);
  });
}

// Tangents of the activation's outputs: slope times tangent of z. This lane's rows, no sync.
template <class Team, class T>
CF_HD inline void activate_tangents(const Team& team, const Net<T>& net, const FlatLayer& layer,
                                    const Sample<T>& s, int32_t tangents) {
  const int32_t halves = is_paired(layer.kind) ? 2 : 1;
  for_rows(team, layer.outputs, [&](int32_t o) {
    for (int32_t h = 0; h < halves; ++h) {
      const int32_t row = h * layer.outputs + o;
      const T slope = s.slope[layer.slope_begin + row];
      for (int32_t p = 1; p <= tangents; ++p)
        s.features[p * net.features + layer.out_begin + row] =
            slope * s.z[p * net.z_rows + layer.z_begin + o];
    }
  });
}

/// Value, slopes and curvatures at features 0 .. dim-1, and the images of the first `tangents`
/// tangents along with them.
template <class Team, class T>
CF_HD inline void value_pass(const Team& team, const Net<T>& net, const Sample<T>& s,
                             int32_t tangents) {
  for (int32_t k = 0; k < net.count; ++k) {
    const FlatLayer& layer = net.layers[k];
    for (int32_t p = 0; p <= tangents; ++p)
      linear(team, layer, net.weights, s.features.from(p * net.features), s.z.from(p * net.z_rows));
    const T* bias = layer.bias == nullptr ? nullptr : net.weights + layer.bias_begin();
    if (layer.activated) {
      activate(team, layer, bias, s);
      activate_tangents(team, net, layer, s, tangents);
    } else if (bias != nullptr) {
      for_rows(team, layer.outputs, [&](int32_t o) { s.z[layer.z_begin + o] += bias[o]; });
    }
    team.sync();
  }
}

/// Images of the tangents alone, after a value pass.
template <class Team, class T>
CF_HD inline void tangent_pass(const Team& team, const Net<T>& net, const Sample<T>& s,
                               int32_t tangents) {
  for (int32_t k = 0; k < net.count; ++k) {
    const FlatLayer& layer = net.layers[k];
    for (int32_t p = 1; p <= tangents; ++p)
      linear(team, layer, net.weights, s.features.from(p * net.features), s.z.from(p * net.z_rows));
    if (layer.activated) activate_tangents(team, net, layer, s, tangents);
    team.sync();
  }
}

}  // namespace contraflow::kernels::cuda
