#pragma once

#include "contraflow/kernels/cuda/plain.h"

namespace contraflow::kernels::cuda {

// One sample is worked on by the lanes of a team: threads that run the same code and decide the
// same way. A team has lane(), lanes() and sync(). Rows are dealt to the lanes in turn, row r to
// lane r % lanes, everywhere; so what a lane wrote it may read at once, and what others wrote after
// a sync. Functions expect their inputs to be visible and leave their outputs visible, unless they
// say otherwise. Small sums over a sample are taken by every lane for itself, in the same order:
// no exchange, and the same bits in all.

/// The rows of one sample, `stride` elements apart: those of its neighbours stand between them.
template <class T>
struct Column {
  T* data = nullptr;
  int32_t stride = 0;

  CF_HD T& operator[](int32_t row) const { return data[static_cast<int64_t>(row) * stride]; }
  CF_HD Column from(int32_t row) const {
    return {data + static_cast<int64_t>(row) * stride, stride};
  }
};

/// Calls f(r) for the rows of this lane.
template <class Team, class F>
CF_HD inline void for_rows(const Team& team, int32_t rows, F&& f) {
  for (int32_t r = team.lane(); r < rows; r += team.lanes()) f(r);
}

/// A sample's memory. Panels of features and pre-activations follow one another: the values, then
/// one panel for each tangent.
template <class T>
struct Sample {
  Column<T> state;         ///< [dim] the value on its way through the program
  Column<T> features;      ///< [1 + tangents][features]
  Column<T> z;             ///< [1 + tangents][z_rows]
  Column<T> slope;         ///< [slope_rows]
  Column<T> features_bar;  ///< [features]
  Column<T> layer_bar;     ///< [outputs] of one layer at a time
  Column<T> chain;         ///< [dim]
  Column<T> chain_image;   ///< [dim]
  Column<T> square;        ///< exact: [dim dim]
  Column<T> right;         ///< [dim] right side of a solve
  Column<T> trial;         ///< [dim]
  Column<T> best;          ///< [dim]
  Column<T> image;         ///< [dim] of the best point: the solution
  Column<T> point_steps;   ///< [memory][dim]
  Column<T> steps;         ///< [memory][dim] differences of residuals
  int32_t rows = 0;        ///< of all
};

/// The memory at `data`, whose elements stand `stride` apart; without memory it counts rows.
template <class T>
CF_HD inline Sample<T> place_sample(const FlatShape& shape, T* data, int32_t stride) {
  Sample<T> s;
  const auto take = [&](Column<T>& column, int32_t rows) {
    if (data != nullptr) column = Column<T>{data, stride}.from(s.rows);
    s.rows += rows;
  };
  const int32_t dim = shape.dim, panels = 1 + shape.tangents;
  take(s.state, dim);
  take(s.features, panels * shape.features);
  take(s.z, panels * shape.z_rows);
  take(s.slope, shape.slope_rows);
  take(s.features_bar, shape.features);
  take(s.layer_bar, shape.outputs);
  take(s.chain, dim);
  take(s.chain_image, dim);
  take(s.square, shape.exact ? dim * dim : 0);
  for (Column<T>* column : {&s.right, &s.trial, &s.best, &s.image}) take(*column, dim);
  take(s.point_steps, shape.memory * dim);
  take(s.steps, shape.memory * dim);
  return s;
}

/// Elements that one sample takes.
CF_HD inline int64_t sample_rows(const FlatShape& shape) {
  return place_sample<double>(shape, nullptr, 1).rows;
}

/// Bytes of shared memory that a thread block takes.
CF_HD inline int64_t shared_bytes(const FlatShape& shape, const Layout& layout,
                                  int64_t element_size) {
  return element_size * ((layout.shared_weights ? shape.packed : 0) +
                         (layout.shared_scratch ? sample_rows(shape) * layout.stride : 0));
}

}  // namespace contraflow::kernels::cuda
