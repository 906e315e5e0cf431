#pragma once

#include <cmath>

#include "contraflow/kernels/cuda/reverse.cuh"

namespace contraflow::kernels::cuda {

/// log|det m|, m [dim dim] row-major, which elimination overwrites. Without pivoting: m = p I + q J
/// with |q J| < |p| has a definite symmetric part, so no pivot comes near zero.
template <class Team, class T>
CF_HD inline T log_abs_det(const Team& team, Column<T> m, int32_t dim) {
  T sum = 0;
  for (int32_t k = 0; k < dim; ++k) {
    const T pivot = m[k * dim + k];
    sum += std::log(std::abs(pivot));
    for_rows(team, dim, [&](int32_t r) {
      if (r <= k) return;
      const T factor = m[r * dim + k] / pivot;
      for (int32_t c = k + 1; c < dim; ++c) m[r * dim + c] -= factor * m[k * dim + c];
    });
    team.sync();
  }
  return sum;
}

// log|det(p + q J)|; J is in the tangents' images.
template <class Team, class T>
CF_HD inline T shifted_log_det(const Team& team, const Net<T>& net, const Sample<T>& s, double p,
                               double q) {
  if (q == 0) return static_cast<T>(net.dim * std::log(std::abs(p)));
  for_rows(team, net.dim, [&](int32_t r) {
    for (int32_t c = 0; c < net.dim; ++c)
      s.square[r * net.dim + c] = static_cast<T>(q) * s.z[(1 + c) * net.z_rows + net.output() + r] +
                                  static_cast<T>(r == c ? p : 0.0);
  });
  team.sync();
  return log_abs_det(team, s.square, net.dim);
}

/// log|det(c + d J)| - log|det(a + b J)|.
template <class Team, class T>
CF_HD inline T exact_log_det(const Team& team, const FlatStep& step, const Net<T>& net,
                             const Sample<T>& s) {
  const T above = shifted_log_det(team, net, s, step.c, step.d);
  return above - shifted_log_det(team, net, s, step.a, step.b);
}

/// What the chains of a sample's probes add up to.
template <class T>
struct SeriesSums {
  T value = 0;
  T bias = 0;
};

/// The chain (K^T)^k v, K = J - shift, of one probe v.
template <class Team, class T>
struct SeriesChain {
  const Team& team;
  const FlatStep& step;
  const FlatTerm* terms;
  const Net<T>& net;
  const Sample<T>& s;
  int64_t count;  ///< terms of this sample
  T weight;       ///< of this probe

  CF_HD void advance() const {
    vjp(team, net, s, s.chain, s.chain_image);
    const T shift = static_cast<T>(step.shift);
    for_rows(team, net.dim, [&](int32_t r) { s.chain[r] = s.chain_image[r] - shift * s.chain[r]; });
    team.sync();
  }

  /// Adds to the sums.
  CF_HD void run(Column<T> v, SeriesSums<T>& sums) const {
    for_rows(team, net.dim, [&](int32_t r) { s.chain[r] = v[r]; });
    team.sync();
    int32_t power = 0;
    for (int32_t j = 0; j < step.term_count && j < count; ++j) {
      const FlatTerm term = terms[j];
      for (; power < term.power; ++power) advance();
      T dot = 0;
      for (int32_t r = 0; r < net.dim; ++r) dot += s.chain[r] * v[r];
      sums.value += dot * (static_cast<T>(term.value) * weight);
    }
    if (step.tail_factor > 0) {
      T a = 0, b = 0;
      for (int32_t r = 0; r < net.dim; ++r) {
        a += v[r] * v[r];
        b += s.chain[r] * s.chain[r];
      }
      sums.bias += std::sqrt(a) * std::sqrt(b) * static_cast<T>(step.tail_factor) * weight;
    }
    team.sync();
  }
};

}  // namespace contraflow::kernels::cuda
