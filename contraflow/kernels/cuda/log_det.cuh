#pragma once

#include <cmath>

#include "contraflow/kernels/cuda/reverse.cuh"

namespace contraflow::kernels::cuda {

/// m [dim dim], row-major: replaced by its inverse; returns log|det m|. Gauss-Jordan in place,
/// without pivoting: m = p I + q J with |q J| < |p| has a definite symmetric part, so no pivot
/// comes near zero.
template <class Team, class T>
CF_HD inline T invert(const Team& team, Column<T> m, int32_t dim) {
  T sum = 0;
  for (int32_t k = 0; k < dim; ++k) {
    const T pivot = m[k * dim + k], inverse = 1 / pivot;
    sum += std::log(std::abs(pivot));
    team.sync();
    for_rows(team, dim,
             [&](int32_t c) { m[k * dim + c] = c == k ? inverse : m[k * dim + c] * inverse; });
    team.sync();
    for_rows(team, dim, [&](int32_t r) {
      if (r == k) return;
      const T factor = m[r * dim + k];
      for (int32_t c = 0; c < dim; ++c) {
        if (c != k) m[r * dim + c] -= factor * m[k * dim + c];
      }
      m[r * dim + k] = -factor * inverse;
    });
    team.sync();
  }
  return sum;
}

// out = (p + q J)^-1; returns its log|det|. J is in the tangents' images.
template <class Team, class T>
CF_HD inline T shifted_inverse(const Team& team, const Net<T>& net, const Sample<T>& s, double p,
                               double q, Column<T> out) {
  for_rows(team, net.dim, [&](int32_t r) {
    for (int32_t c = 0; c < net.dim; ++c)
      out[r * net.dim + c] = static_cast<T>(q) * s.z[(1 + c) * net.z_rows + net.output() + r] +
                             static_cast<T>(r == c ? p : 0.0);
  });
  team.sync();
  return invert(team, out, net.dim);
}

/// log|det(c + d J)| - log|det(a + b J)|; leaves s.weights = d (c + d J)^-1 - b (a + b J)^-1 and,
/// where the block solves, s.solver = (a + b J)^-1.
template <class Team, class T>
CF_HD inline T exact_log_det(const Team& team, const FlatStep& step, const Net<T>& net,
                             const Sample<T>& s) {
  const int32_t dim = net.dim;
  const T d = static_cast<T>(step.d), b = static_cast<T>(step.b);
  T value = 0;
  if (step.d != 0) {
    value = shifted_inverse(team, net, s, step.c, step.d, s.weights);
    for_rows(team, dim * dim, [&](int32_t k) { s.weights[k] *= d; });
  } else {
    value = static_cast<T>(dim * std::log(std::abs(step.c)));
    for_rows(team, dim * dim, [&](int32_t k) { s.weights[k] = 0; });
  }
  if (step.b != 0) {
    value -= shifted_inverse(team, net, s, step.a, step.b, s.solver);
    for_rows(team, dim * dim, [&](int32_t k) { s.weights[k] -= b * s.solver[k]; });
  } else {
    value -= static_cast<T>(dim * std::log(std::abs(step.a)));
  }
  team.sync();
  return value;
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

  /// Adds to the sums, and writes the gradient's vector u.
  CF_HD void run(Column<T> v, Column<T> u, SeriesSums<T>& sums) const {
    for_rows(team, net.dim, [&](int32_t r) {
      s.chain[r] = v[r];
      u[r] = 0;
    });
    team.sync();
    int32_t power = 0;
    for (int32_t j = 0; j < step.term_count && j < count; ++j) {
      const FlatTerm term = terms[j];
      for (; power < term.power - 1; ++power) advance();
      const T neumann = static_cast<T>(term.neumann) * weight;
      for_rows(team, net.dim, [&](int32_t r) { u[r] += neumann * s.chain[r]; });
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
