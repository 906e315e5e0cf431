#pragma once

#include "contraflow/kernels/cuda/net.cuh"

namespace contraflow::kernels::cuda {

// The reverse passes of a net; DESIGN section 3 in the words of tile/net-inl.h.

// beta's share of one pre-activation: phi(z; beta) = phi_1(beta z) / beta, hence
// d phi / d beta = (z phi' - phi) / beta and d phi' / d beta = z phi'' / beta.
template <class T>
CF_HD inline T beta_term(T bar, T z, T slope, T value) {
  return bar * (z * slope - value);
}

/// Bars of one activation's pre-activations from those of its features, values only, in
/// s.layer_bar; with kBeta beta's shares are added to s.beta. This lane's rows, no sync.
template <bool kBeta, class Team, class T>
CF_HD inline void value_down(const Team& team, const FlatLayer& layer, const Sample<T>& s) {
  const int32_t halves = is_paired(layer.kind) ? 2 : 1;
  for_rows(team, layer.outputs, [&](int32_t o) {
    T sum = 0, beta = 0;
    for (int32_t h = 0; h < halves; ++h) {
      const int32_t row = h * layer.outputs + o;
      const T slope = s.slope[layer.slope_begin + row];
      const T bar = s.features_bar[layer.out_begin + row];
      sum += slope * bar;
      if (kBeta)
        beta += beta_term(bar, s.z[layer.z_begin + o], slope, s.features[layer.out_begin + row]);
    }
    s.layer_bar[o] = sum;
    if (kBeta) s.beta[layer.z_begin + o] += beta;
  });
}

/// out = J^T u. Uses the values' panel of s.features_bar, and s.layer_bar; `u` may be `out`.
template <class Team, class T>
CF_HD inline void vjp(const Team& team, const Net<T>& net, const Sample<T>& s, Column<T> u,
                      Column<T> out) {
  for (int32_t k = net.count; k-- > 0;) {
    const FlatLayer& layer = net.layers[k];
    if (layer.activated) {
      value_down<false>(team, layer, s);
      team.sync();
    }
    linear_down(team, layer, net.weights, layer.activated ? s.layer_bar : u, s.features_bar);
    team.sync();
  }
  for_rows(team, net.dim, [&](int32_t r) { out[r] = s.features_bar[r]; });
  team.sync();
}

// One activation down, all panels. This lane's rows, no sync.
template <class Team, class T>
CF_HD inline void activation_down(const Team& team, const Net<T>& net, const FlatLayer& layer,
                                  const Sample<T>& s, int32_t tangents) {
  const int32_t halves = is_paired(layer.kind) ? 2 : 1;
  for_rows(team, layer.outputs, [&](int32_t o) {
    const int32_t z_row = layer.z_begin + o;
    const T z = s.z[z_row];
    T value_bar = 0, beta = 0;
    for (int32_t h = 0; h < halves; ++h) {
      const int32_t row = h * layer.outputs + o, feature = layer.out_begin + row;
      const T slope = s.slope[layer.slope_begin + row];
      const T curvature = s.curvature[layer.slope_begin + row];
      const T bar = s.features_bar[feature];
      T bend = 0;  // sum_p s_p E_p
      for (int32_t p = 1; p <= tangents; ++p) {
        const T e = s.features_bar[p * net.features + feature];
        bend += s.z[p * net.z_rows + z_row] * e;
        T& out = s.z_bar[p * net.z_rows + z_row];
        out = h == 0 ? slope * e : out + slope * e;
      }
      value_bar += slope * bar + curvature * bend;
      beta += bend * z * curvature + beta_term(bar, z, slope, s.features[feature]);
    }
    s.z_bar[z_row] = value_bar;
    s.beta[z_row] = beta;
  });
}

/// The dual reverse of  L = g . G(w) + sum_p u_p . J(w) t_p. The output's rows of s.z_bar hold
/// (g, u_1, ...) on entry; on return s.z_bar holds the bars of all pre-activations and their
/// tangents, s.features_bar those of the features: rows 0..dim-1 the gradient in w.
template <class Team, class T>
CF_HD inline void dual_reverse(const Team& team, const Net<T>& net, const Sample<T>& s,
                               int32_t tangents) {
  for (int32_t k = net.count; k-- > 0;) {
    const FlatLayer& layer = net.layers[k];
    if (layer.activated) {
      activation_down(team, net, layer, s, tangents);
      team.sync();
    }
    for (int32_t p = 0; p <= tangents; ++p)
      linear_down(team, layer, net.weights, s.z_bar.from(p * net.z_rows + layer.z_begin),
                  s.features_bar.from(p * net.features));
    team.sync();
  }
}

/// Adds the bars of a value's cotangent g to those that a dual reverse left in s.z_bar.
template <class Team, class T>
CF_HD inline void add_value(const Team& team, const Net<T>& net, const Sample<T>& s, Column<T> g) {
  for (int32_t k = net.count; k-- > 0;) {
    const FlatLayer& layer = net.layers[k];
    if (layer.activated) value_down<true>(team, layer, s);
    const Column<T> bar = layer.activated ? s.layer_bar : g;
    for_rows(team, layer.outputs, [&](int32_t o) { s.z_bar[layer.z_begin + o] += bar[o]; });
    team.sync();
    if (k > 0) linear_down(team, layer, net.weights, bar, s.features_bar);
    team.sync();
  }
}

}  // namespace contraflow::kernels::cuda
