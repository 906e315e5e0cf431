#pragma once

#include "contraflow/kernels/cuda/block.cuh"
#include "contraflow/kernels/cuda/pack.cuh"

namespace contraflow::kernels::cuda {

/// One thread of a thread block that runs tiles of `layout.samples` samples through the whole
/// program. A crew is a team that also has thread(), block(), sync_block(), lower(to, value) and
/// raise(to, value): atomic minimum and maximum.
template <class Crew, class T>
class ProgramThread {
 public:
  /// `weights`: shared memory for one step's, or null; `scratch`: the block's.
  CF_HD ProgramThread(const Crew& crew, const Run<T>& run, T* weights, T* scratch)
      : crew_(crew),
        run_(run),
        shared_(weights),
        s_(place_sample(run.shape, scratch + crew.thread() / run.layout.lanes, run.layout.stride)) {
  }

  CF_HD void run() {
    const int64_t samples = run_.layout.samples;
    for (int64_t tile = crew_.block(); tile * samples < run_.batch; tile += run_.layout.blocks) {
      row_ = tile * samples + crew_.thread() / run_.layout.lanes;
      works_ = row_ < run_.batch;
      failed_ = false;
      run_tile();
    }
  }

 private:
  CF_HD int32_t dim() const { return run_.shape.dim; }
  CF_HD int64_t at(int64_t row) const { return row * dim(); }
  CF_HD const T* stage(const FlatStep& step) const;
  CF_HD Net<T> net_of(const FlatStep& step, const T* weights) const {
    return {run_.layers + step.layer_begin,
            step.layer_count,
            weights,
            dim(),
            step.features,
            step.z_rows};
  }
  CF_HD int64_t terms_of(const FlatStep& step) const {
    return step.counts == nullptr ? step.term_count : step.counts[row_];
  }
  template <class From>
  CF_HD void load(const From* from, Column<T> to) const {
    for_rows(crew_, dim(), [&](int32_t r) { to[r] = from[r]; });
  }
  CF_HD void save(Column<T> from, T* to) const {
    for_rows(crew_, dim(), [&](int32_t r) { to[r] = from[r]; });
  }
  CF_HD void load_probes(const FlatStep& step, const Net<T>& net) const;
  CF_HD void note(const SolveOutcome<T>& outcome);

  CF_HD void run_tile();
  CF_HD void run_affine(const FlatStep& step) const;
  CF_HD void run_block(const FlatStep& step, const T* weights);

  const Crew& crew_;
  const Run<T>& run_;
  T* shared_;
  Sample<T> s_;
  int64_t row_ = 0;
  bool works_ = false, failed_ = false;
  T log_det_ = 0, error_ = 0, bias_ = 0;
};

// The step's weights, once every thread of the block has finished with the last step's.
template <class Crew, class T>
CF_HD inline const T* ProgramThread<Crew, T>::stage(const FlatStep& step) const {
  const T* from = run_.packed + step.packed_begin;
  crew_.sync_block();
  if (shared_ == nullptr) return from;
  for (int32_t k = crew_.thread(); k < step.packed_size; k += run_.layout.threads())
    shared_[k] = from[k];
  crew_.sync_block();
  return shared_;
}

template <class Crew, class T>
CF_HD inline void ProgramThread<Crew, T>::load_probes(const FlatStep& step,
                                                      const Net<T>& net) const {
  const T* probes = static_cast<const T*>(step.probes);
  for (int32_t p = 0; p < step.tangents; ++p)
    load(probes + p * run_.batch * dim() + at(row_), s_.features.from((1 + p) * net.features));
  crew_.sync();
}

template <class Crew, class T>
CF_HD inline void ProgramThread<Crew, T>::note(const SolveOutcome<T>& outcome) {
  if (crew_.lane() != 0) return;
  crew_.raise(run_.status->iterations, static_cast<unsigned long long>(outcome.iterations));
  if (!outcome.failed || failed_) return;
  failed_ = true;
  run_.failure_bound[row_] = outcome.bound;
  crew_.lower(run_.status->first_failure,
              2 * static_cast<unsigned long long>(row_) + (outcome.diverged ? 1U : 0U));
}

template <class Crew, class T>
CF_HD inline void ProgramThread<Crew, T>::run_affine(const FlatStep& step) const {
  const double* scale = run_.numbers + step.numbers;
  for_rows(crew_, dim(), [&](int32_t r) {
    s_.state[r] = static_cast<T>(scale[r]) * s_.state[r] + static_cast<T>(scale[dim() + r]);
  });
  crew_.sync();
}

template <class Crew, class T>
CF_HD inline void ProgramThread<Crew, T>::run_block(const FlatStep& step, const T* weights) {
  const Net<T> net = net_of(step, weights);
  const Block<Crew, T> block{crew_, step, run_.terms + step.term_begin, net, s_};
  const SolveOutcome<T> outcome = block.find_point();
  if (step.solves()) {
    note(outcome);
    error_ += outcome.bound;
  }
  if (run_.log_det != nullptr) {
    if (!step.exact) load_probes(step, net);
    const SeriesSums<T> sums = block.linearize(terms_of(step));
    log_det_ += sums.value;
    bias_ += sums.bias;
  } else if (!step.solves()) {
    value_pass(crew_, net, s_, 0);
  }
  block.output();
}

template <class Crew, class T>
CF_HD inline void ProgramThread<Crew, T>::run_tile() {
  log_det_ = error_ = bias_ = 0;
  if (works_) load(run_.x + at(row_), s_.state);
  for (int32_t k = 0; k < run_.step_count; ++k) {
    const FlatStep& step = run_.steps[k];
    const T* weights = stage(step);
    if (!works_) continue;
    error_ *= static_cast<T>(step.lipschitz);
    if (step.is_block()) {
      run_block(step, weights);
    } else {
      log_det_ += static_cast<T>(step.constant);
      run_affine(step);
    }
  }
  if (!works_) return;
  if (run_.y != nullptr) save(s_.state, run_.y + at(row_));
  if (crew_.lane() != 0) return;
  if (run_.log_det != nullptr) run_.log_det[row_] = log_det_;
  if (run_.solve_error != nullptr) run_.solve_error[row_] = error_;
  if (run_.bias_bound != nullptr) run_.bias_bound[row_] = bias_;
}

}  // namespace contraflow::kernels::cuda
