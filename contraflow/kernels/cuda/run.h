#pragma once

#include "contraflow/kernels/cuda/plain.h"

namespace contraflow::kernels::cuda {

/// The device kernels, as functions over raw memory that throw nothing. Each returns null, or the
/// text of what went wrong, valid until the thread's next call. Pointers in calls are on the device
/// of the stream (a cudaStream_t), which is current. dispatch.h holds what the library calls.

/// A program's arrays, on the host.
struct ProgramArrays {
  const FlatStep* steps = nullptr;
  int64_t step_count = 0;
  const FlatLayer* layers = nullptr;
  int64_t layer_count = 0;
  const FlatTerm* terms = nullptr;
  int64_t term_count = 0;
  const double* numbers = nullptr;
  int64_t number_count = 0;
  int64_t packed_size = 0;
  bool solves = false;
};

/// How the solves of a run ended; see TileSolveStatus.
struct RunOutcome {
  int64_t row = -1;
  double bound = 0.0;
  bool diverged = false;
  int64_t iterations = 0;
};

/// Activations of a strided batch: value, slope, curvature in one pass, one thread an element.
const char* launch_jets(const JetCall<float>& call, void* stream) noexcept;
const char* launch_jets(const JetCall<double>& call, void* stream) noexcept;

/// Runs a program. The caller fills in the run's fields up to the layout. Waits for the stream where
/// the program solves, else only enqueues; `arrays` may go once it returns. Memory comes from the
/// stream's pool (cudaMallocAsync).
const char* launch_program(const ProgramArrays& arrays, Run<float> run, RunOutcome& outcome,
                           void* stream) noexcept;
const char* launch_program(const ProgramArrays& arrays, Run<double> run, RunOutcome& outcome,
                           void* stream) noexcept;

}  // namespace contraflow::kernels::cuda
