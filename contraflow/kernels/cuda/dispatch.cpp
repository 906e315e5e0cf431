#include "contraflow/kernels/cuda/dispatch.h"

#include "contraflow/core/error.h"
#include "contraflow/kernels/cuda/flatten.h"
#include "contraflow/kernels/cuda/run.h"

namespace contraflow::kernels::cuda {
namespace {

void require(const char* error) {
  if (error != nullptr) throw Error(error);
}

template <class T>
void run(TileCall<T>& call, void* stream) {
  const FlatProgram program = flatten(*call.program);
  RunOutcome outcome;
  require(launch_program(arrays_of(program), run_of(call, program), outcome, stream));
  call.status = {outcome.row, outcome.bound, outcome.diverged, outcome.iterations};
}

}  // namespace

bool compiled() { return true; }

void run_tiles(TileCall<float>& call, void* stream) { run(call, stream); }
void run_tiles(TileCall<double>& call, void* stream) { run(call, stream); }

void run_jets(const JetCall<float>& call, void* stream) { require(launch_jets(call, stream)); }
void run_jets(const JetCall<double>& call, void* stream) { require(launch_jets(call, stream)); }

}  // namespace contraflow::kernels::cuda
