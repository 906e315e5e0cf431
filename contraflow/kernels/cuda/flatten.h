#pragma once

#include <vector>

#include "contraflow/kernels/cuda/plain.h"
#include "contraflow/kernels/cuda/run.h"
#include "contraflow/kernels/tile/call.h"

namespace contraflow::kernels::cuda {

/// A TileProgram as flat arrays. Pointers to weights, probes and counts stay what they are.
struct FlatProgram {
  std::vector<FlatStep> steps;
  std::vector<FlatLayer> layers;
  std::vector<FlatTerm> terms;
  std::vector<double> numbers;
  FlatShape shape;
  int64_t packed_size = 0;  ///< elements of all packed weights
  bool solves = false;
};

/// Throws ConfigError (a sorting activation; a program of more than 2^31 rows).
FlatProgram flatten(const TileProgram& program);

/// The program's arrays, as run.h takes them.
ProgramArrays arrays_of(const FlatProgram& program);

/// A forward call as the device code takes it, cut by choose_layout(): no points, no probe sums.
template <class T>
Run<T> run_of(const TileCall<T>& call, const FlatProgram& program);

/// The kind that the device code calls an activation; throws ConfigError for the sorting ones.
Kind kind_of(Activation activation);

/// Numbers that the scaled weights and biases of a net take.
int64_t packed_weights(const TileNet& net);
/// Whether so many stand in a thread block's shared memory; more are read from the card's, again
/// for every sample.
bool weights_stay_close(int64_t packed, int64_t element_size);

/// How a run of `batch` rows is cut. element_size: of the type.
Layout choose_layout(const FlatProgram& program, int64_t batch, int64_t element_size);

}  // namespace contraflow::kernels::cuda
