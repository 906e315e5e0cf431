#pragma once

#include "contraflow/kernels/cuda/block.cuh"
#include "contraflow/kernels/cuda/gradients.cuh"

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
        first_(place_sample(run.shape, scratch, run.layout.stride)),
        s_(place_sample(run.shape, scratch + crew.thread() / run.layout.lanes, run.layout.stride)) {
  }

  CF_HD void run() {
    const int64_t samples = run_.layout.samples;
    for (int64_t tile = crew_.block(); tile * samples < run_.batch; tile += run_.layout.blocks) {
      row_ = tile * samples + crew_.thread() / run_.layout.lanes;
      const int64_t left = run_.batch - tile * samples;
      active_ = static_cast<int32_t>(left < samples ? left : samples);
      works_ = row_ < run_.batch;
      failed_ = false;
      if (run_.forward) run_forward();
      if (run_.backward) run_backward();
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
  CF_HD int64_t probe_sum_at(const FlatStep& step, int32_t p) const {
    return (step.probe_sum_begin + p) * run_.batch * dim() + at(row_);
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

  CF_HD void run_forward();
  CF_HD void run_backward();
  CF_HD void forward_affine(const FlatStep& step) const;
  CF_HD void forward_block(const FlatStep& step, const T* weights);
  CF_HD void backward_affine(const FlatStep& step, const T* point) const;
  CF_HD void backward_block(const FlatStep& step, const T* weights, const T* point);

  const Crew& crew_;
  const Run<T>& run_;
  T* shared_;
  Sample<T> first_;  // the block's first sample: where its rows begin
  Sample<T> s_;
  int64_t row_ = 0;
  int32_t active_ = 0;
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
CF_HD inline void ProgramThread<Crew, T>::forward_affine(const FlatStep& step) const {
  const double* scale = run_.numbers + step.numbers;
  for_rows(crew_, dim(), [&](int32_t r) {
    s_.state[r] = static_cast<T>(scale[r]) * s_.state[r] + static_cast<T>(scale[dim() + r]);
  });
  crew_.sync();
}

template <class Crew, class T>
CF_HD inline void ProgramThread<Crew, T>::forward_block(const FlatStep& step, const T* weights) {
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
    if (!step.exact && run_.probe_sums != nullptr) {
      for (int32_t p = 0; p < step.tangents; ++p)
        save(s_.probe_sum.from(p * dim()), run_.probe_sums + probe_sum_at(step, p));
    }
  } else if (!step.solves()) {
    value_pass(crew_, net, s_, 0);
  }
  block.output();
}

template <class Crew, class T>
CF_HD inline void ProgramThread<Crew, T>::run_forward() {
  log_det_ = error_ = bias_ = 0;
  if (works_) load(run_.x + at(row_), s_.state);
  for (int32_t k = 0; k < run_.step_count; ++k) {
    const FlatStep& step = run_.steps[k];
    const T* weights = stage(step);
    if (!works_) continue;
    T* point = run_.points == nullptr ? nullptr : run_.points + at(k * run_.batch + row_);
    error_ *= static_cast<T>(step.lipschitz);
    if (step.is_block()) {
      forward_block(step, weights);
      if (point != nullptr) save(s_.features, point);
    } else {
      log_det_ += static_cast<T>(step.constant);
      if (point != nullptr) save(s_.state, point);
      forward_affine(step);
    }
  }
  if (!works_) return;
  if (run_.y != nullptr) save(s_.state, run_.y + at(row_));
  if (crew_.lane() != 0) return;
  if (run_.log_det != nullptr) run_.log_det[row_] = log_det_;
  if (run_.solve_error != nullptr) run_.solve_error[row_] = error_;
  if (run_.bias_bound != nullptr) run_.bias_bound[row_] = bias_;
}

// The bars that the shift and the scale get, in rows that the gradient's sums read.
template <class Crew, class T>
CF_HD inline void ProgramThread<Crew, T>::backward_affine(const FlatStep& step,
                                                          const T* point) const {
  const double* scale = run_.numbers + step.numbers;
  for_rows(crew_, dim(), [&](int32_t r) {
    const T bar = s_.bar[r];
    s_.right[r] = bar * point[r];
    s_.trial[r] = bar;
    s_.bar[r] = bar * static_cast<T>(scale[r]);
  });
  crew_.sync();
}

template <class Crew, class T>
CF_HD inline void ProgramThread<Crew, T>::backward_block(const FlatStep& step, const T* weights,
                                                         const T* point) {
  const Net<T> net = net_of(step, weights);
  const Block<Crew, T> block{crew_, step, run_.terms + step.term_begin, net, s_};
  load(point, s_.features);
  if (step.exact) {
    crew_.sync();
    block.linearize(0);
  } else {
    load_probes(step, net);
    for (int32_t p = 0; p < step.tangents; ++p)
      load(run_.probe_sums + probe_sum_at(step, p), s_.probe_sum.from(p * dim()));
    value_pass(crew_, net, s_, 0);
    tangent_pass(crew_, net, s_, step.tangents);
  }
  const SolveOutcome<T> outcome = block.reverse(run_.log_det_bar[row_]);
  if (step.solves()) note(outcome);
}

template <class Crew, class T>
CF_HD inline void ProgramThread<Crew, T>::run_backward() {
  if (works_) {
    if (run_.forward) {  // log p(y) = -|y|^2 / 2 + const
      const T weight = run_.log_det_bar[row_];
      for_rows(crew_, dim(), [&](int32_t r) { s_.bar[r] = -weight * s_.state[r]; });
    } else {
      load(run_.y_bar + at(row_), s_.bar);
    }
    crew_.sync();
  }
  T* partial = run_.partial + crew_.block() * run_.gradient_size;
  for (int32_t k = run_.step_count; k-- > 0;) {
    const FlatStep& step = run_.steps[k];
    const T* weights = stage(step);
    if (works_) {
      const T* point = run_.points + at(k * run_.batch + row_);
      if (step.is_block()) {
        backward_block(step, weights, point);
      } else {
        backward_affine(step, point);
      }
    }
    crew_.sync_block();
    const TileSums<T> sums{first_, active_, crew_.thread(), run_.layout.threads()};
    if (step.is_block()) {
      add_block_gradients(sums, step, run_.layers + step.layer_begin, partial);
    } else {
      add_affine_gradients(sums, step, dim(), partial);
    }
  }
  if (works_ && run_.x_bar != nullptr) save(s_.bar, run_.x_bar + at(row_));
  crew_.sync_block();
}

}  // namespace contraflow::kernels::cuda
