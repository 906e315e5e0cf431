#pragma once

#include <atomic>
#include <barrier>
#include <deque>
#include <thread>
#include <vector>

#include "contraflow/kernels/cuda/flatten.h"
#include "contraflow/kernels/cuda/program.cuh"

namespace contraflow::kernels::cuda {

/// The threads of one thread block as threads of the host: the device's barriers, for real.
struct HostBlock {
  HostBlock(const Layout& layout, int64_t index)
      : lanes(layout.lanes), block(index), all(layout.threads()) {
    for (int32_t k = 0; k < layout.samples; ++k) teams.emplace_back(layout.lanes);
  }
  int32_t lanes;
  int64_t block;
  std::barrier<> all;
  std::deque<std::barrier<>> teams;
};

class HostCrew {
 public:
  HostCrew(HostBlock& block, int32_t thread) : block_(block), thread_(thread) {}
  int32_t lane() const { return thread_ % block_.lanes; }
  int32_t lanes() const { return block_.lanes; }
  int32_t thread() const { return thread_; }
  int64_t block() const { return block_.block; }
  void sync() const { block_.teams[static_cast<size_t>(thread_ / lanes())].arrive_and_wait(); }
  void sync_block() const { block_.all.arrive_and_wait(); }
  void lower(unsigned long long& to, unsigned long long value) const {
    const std::atomic_ref<unsigned long long> shared(to);
    unsigned long long seen = shared.load();
    while (value < seen && !shared.compare_exchange_weak(seen, value)) {
    }
  }
  void raise(unsigned long long& to, unsigned long long value) const {
    const std::atomic_ref<unsigned long long> shared(to);
    unsigned long long seen = shared.load();
    while (value > seen && !shared.compare_exchange_weak(seen, value)) {
    }
  }

 private:
  HostBlock& block_;
  int32_t thread_;
};

/// What program.cu does, on the host: blocks one after another, their threads at once.
template <class T>
TileSolveStatus run_on_host(const TileCall<T>& call, Layout layout) {
  const FlatProgram program = flatten(*call.program);
  Run<T> run = run_of(call, program);
  run.layout = layout;
  run.steps = program.steps.data();
  run.step_count = static_cast<int32_t>(program.steps.size());
  run.layers = program.layers.data();
  run.terms = program.terms.data();
  run.numbers = program.numbers.data();
  std::vector<T> packed(static_cast<size_t>(program.packed_size)),
      weights(static_cast<size_t>(program.shape.packed)),
      scratch(static_cast<size_t>(sample_rows(program.shape) * layout.stride)),
      failure_bound(static_cast<size_t>(call.batch));
  RunStatus status;
  run.packed = packed.data();
  run.failure_bound = failure_bound.data();
  run.status = &status;
  for (const FlatStep& step : program.steps) pack_step(run, step, 0, 1);
  for (int64_t b = 0; b < layout.blocks; ++b) {
    std::fill(scratch.begin(), scratch.end(), T(NAN));  // nothing may be read before it is written
    HostBlock block(layout, b);
    std::vector<std::jthread> threads;
    for (int32_t t = 0; t < layout.threads(); ++t) {
      threads.emplace_back([&, t] {
        const HostCrew crew(block, t);
        ProgramThread<HostCrew, T>(crew, run, layout.shared_weights ? weights.data() : nullptr,
                                   scratch.data())
            .run();
      });
    }
  }
  TileSolveStatus out;
  out.iterations = static_cast<int64_t>(status.iterations);
  if (status.first_failure == RunStatus::kNone) return out;
  out.row = static_cast<int64_t>(status.first_failure / 2);
  out.diverged = status.first_failure % 2 == 1;
  out.bound = static_cast<double>(failure_bound[static_cast<size_t>(out.row)]);
  return out;
}

}  // namespace contraflow::kernels::cuda
