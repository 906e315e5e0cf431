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
  int64_t packed_size = 0;     ///< elements of all packed weights
  int64_t probe_sum_rows = 0;  ///< probes of all stochastic steps
  int64_t gradient_size = 0;
  bool solves = false;
};

/// Throws ConfigError (a sorting activation; a program of more than 2^31 rows).
FlatProgram flatten(const TileProgram& program);

/// The program's arrays, as run.h takes them.
ProgramArrays arrays_of(const FlatProgram& program);

/// A call as the device code takes it, cut by choose_layout().
template <class T>
Run<T> run_of(const TileCall<T>& call, const FlatProgram& program);

/// The kind that the device code calls an activation; throws ConfigError for the sorting ones.
Kind kind_of(Activation activation);

/// Numbers that the scaled weights and biases of a net take.
int64_t packed_weights(const TileNet& net);
/// Whether so many stand in a thread block's shared memory; more are read from the card's, again
/// for every sample.
bool weights_stay_close(int64_t packed, int64_t element_size);

/// How a run of `batch` rows is cut. element_size: of the type; gradients: of a backward half.
Layout choose_layout(const FlatProgram& program, int64_t batch, int64_t element_size,
                     bool gradients);

}  // namespace contraflow::kernels::cuda
