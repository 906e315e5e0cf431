#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/rng.h"

namespace contraflow::data {

/// One sample of a toy density.
struct ToyRow {
  std::array<double, 2> x;
  /// Which part of the density it is from, 0 .. labels - 1: the ring, moon, mode, arm or square.
  int64_t label = 0;
};

/// One two-dimensional density of the literature's toy experiments, with what is known about it.
struct ToyDensity {
  std::string_view name;
  /// Differential entropy in nats, the least negative log-likelihood a model can reach. Accurate to
  /// 0.001; checkerboard: log 32, exact. None where the density is degenerate (line, cos lie on a
  /// curve, so their likelihood has no upper limit).
  std::optional<double> entropy;
  /// Square [-box, box]^2 for plots; fewer than 1 in 1,000 samples fall outside of it.
  double box;
  /// Sample number `row` of the stream.
  ToyRow (*draw)(const Rng& rng, int64_t row);
  /// Number of parts, all equally likely; 1 = the density is one piece and has no label.
  int64_t labels = 1;
  /// Entropy in nats given the label, the mean over labels, accurate to 0.001. None without labels.
  std::optional<double> entropy_given_label = std::nullopt;
};

/// The densities: swissroll, circles, rings, moons, 8gaussians, pinwheel, 2spirals,
/// checkerboard, line, cos; and u1 to u4, exp(-U)/Z of the energies of the same names (energies.h).
///
/// Scales are those of the FFJORD, Residual Flows and Monotone Flows experiments. Their generators
/// put a fixed fraction of every batch into each mode and shuffle; here each row draws its mode
/// independently, so rows are independent samples and row r depends on (rng, r) alone.
CF_EXPORT std::span<const ToyDensity> toy_densities();

/// The density called `name`; nullptr when there is none.
CF_EXPORT const ToyDensity* find_toy(std::string_view name);
/// The density called `name`; ConfigError with the nearest name when there is none.
CF_EXPORT const ToyDensity& toy_density(std::string_view name);

/// Rows rng.first_row() .. + count - 1 of the density's stream.
///
/// Shapes     result: [count, 2].
/// Types      float32, float64 (computed in float64, then rounded); CPU.
/// Cost       about 0.2 us per row and core; rows in parallel.
/// Random     row r is a pure function of (rng.key(), r): any split of the stream gives equal rows.
/// Threads    safe.
/// Throws     ShapeError (count < 0); DtypeError (dtype not floating).
/// Source     Grathwohl et al. 2019, FFJORD, arXiv:1810.01367 (definitions of the experiments);
///            Rezende and Mohamed 2015, arXiv:1505.05770, table 1 (u1 to u4).
/// Example    const at::Tensor x = sample_toy(toy_density("moons"), Rng(1), 500, at::kFloat);
CF_EXPORT at::Tensor sample_toy(const ToyDensity& density, const Rng& rng, int64_t count,
                                at::ScalarType dtype);

/// Names of the columns that a toy density has as a table: x0, x1, and label where it has parts.
CF_EXPORT std::vector<std::string> toy_columns(const ToyDensity& density);

/// The same samples with their label.
///
/// Shapes     result: [count, toy_columns(density).size()], columns in that order.
/// Else       as sample_toy().
CF_EXPORT at::Tensor sample_toy_rows(const ToyDensity& density, const Rng& rng, int64_t count,
                                     at::ScalarType dtype);

}  // namespace contraflow::data
