// Included once per instruction set by tile/run.cpp (Highway's convention): no include guard.
#if defined(CONTRAFLOW_TILE_FLOW_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONTRAFLOW_TILE_FLOW_INL_H_
#undef CONTRAFLOW_TILE_FLOW_INL_H_
#else
#define CONTRAFLOW_TILE_FLOW_INL_H_
#endif

#include <algorithm>
#include <numeric>
#include <vector>

#include "contraflow/kernels/tile/block-inl.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

/// What a run fixes before its tiles start.
template <class T>
struct FlowPlan {
  const TileCall<T>* call = nullptr;
  std::vector<NetView<T>> nets;          ///< per step; empty views for affine steps
  std::vector<int64_t> affine_gradient;  ///< per step, in a thread's padded buffer
  std::vector<int64_t> probe_sum_begin;  ///< per step, in call.probe_sums
  int64_t vectors = 1;                   ///< of a whole tile
  bool keep_tapes = false;               ///< every block's tape lives until the backward half
  bool keep_z = false;                   ///< else, in a loss: every block's pre-activations do

  const TileProgram& program() const { return *call->program; }
  int64_t rows() const { return vectors * lanes<T>(); }
};

/// A step's memory of the forward half.
template <class T>
struct StepState {
  Panel<T> point;            ///< [dim]: w of a block, x of an affine step; as the step worked on it
  int64_t* order = nullptr;  ///< series: sample of each place
  int64_t* sorted_counts = nullptr;
  T* counts = nullptr;
  Panel<T> probe_sum, value_sum;  ///< series, where the tape does not live on
  Panel<T> z;                     ///< [z_rows], where they are kept
};

/// Runs tiles of a program, one thread's.
template <class T>
class FlowWorker {
 public:
  FlowWorker(const FlowPlan<T>& plan, Arena& arena);

  /// Rows first, first + 1, ... of the batch; `gradient` is a padded buffer or null, which this
  /// tile is the first to write with `fresh`.
  void run(int64_t first, int64_t count, T* gradient, bool fresh, TileSolveStatus& status);

 private:
  bool backward() const { return plan_.call->mode != TileMode::kForward; }
  int64_t width() const { return rows_.vectors * lanes<T>(); }
  int64_t dim() const { return plan_.program().dim; }
  bool wants_condition_bar() const { return backward() && plan_.call->condition_bar != nullptr; }
  // Whether the tape of step k lives from the forward to the backward half.
  bool keeps_tape(size_t k) const {
    return plan_.call->mode == TileMode::kLoss && (plan_.keep_tapes || k == last_block_);
  }
  BlockTape<T>& tape(size_t k) { return plan_.keep_tapes ? tapes_[k] : tapes_[0]; }

  void load_rows(const T* from, Panel<T> to) const { load_rows(from, to, dim()); }
  void load_rows(const T* from, Panel<T> to, int64_t columns) const;
  void store_rows(Panel<T> from, T* to) const { store_rows(from, to, dim()); }
  void store_rows(Panel<T> from, T* to, int64_t columns) const;
  void load_values(const T* from, T* to) const;
  void load_scores() const;
  void sort_by_counts(const TileBlock& block, StepState<T>& step);
  Panel<T> to_order(const StepState<T>& step, Panel<T> natural, Panel<T> scratch) const {
    return to_order(step, natural, scratch, dim());
  }
  Panel<T> to_order(const StepState<T>& step, Panel<T> natural, Panel<T> scratch,
                    int64_t rows) const;
  void from_order(const StepState<T>& step, Panel<T> ordered, Panel<T> natural) const;
  void load_probes(const TileBlock& block, const StepState<T>& step,
                   const BlockWorker<T>& worker) const;

  void load_condition();
  // The condition in the order of a block; where its gradient goes.
  void order_condition(const TileBlock& block, const StepState<T>& step);
  void add_condition_bar(const TileBlock& block, const StepState<T>& step) const;

  void forward_affine(const TileAffine& affine, size_t k);
  void backward_affine(const TileAffine& affine, size_t k, T* gradient);
  void run_backward(T* gradient);
  // Whether a loss takes a block's log-determinant from the backward half: of a series the last
  // product of its chain is not computed twice then (a loss wants no bound of a truncation's bias,
  // which would take it all the same), of an exact block the tangents of a tape that does not live
  // on.
  bool defers(const TileBlock& block, size_t k) const {
    return plan_.call->mode == TileMode::kLoss && !(block.exact && keeps_tape(k));
  }
  LogDetUse log_det_use(const TileBlock& block, size_t k) const;
  void save_tape(const TileBlock& block, size_t k);
  void rebuild_tape(const TileBlock& block, size_t k, const BlockWorker<T>& worker, T* log_det);
  void forward_block(const TileBlock& block, size_t k);
  void backward_block(const TileBlock& block, size_t k, T* gradient);
  void save_point(size_t k);
  void note(const TileSolveOutcome& outcome, const StepState<T>& step, const T* error);

  const FlowPlan<T>& plan_;
  TileRows<T> rows_;
  int64_t first_ = 0;
  bool fresh_ = false;  ///< nothing was written to the gradient yet
  size_t last_block_ = 0;
  TileSolveStatus* status_ = nullptr;
  std::vector<BlockTape<T>> tapes_;
  std::vector<StepState<T>> steps_;
  BlockScratch<T> scratch_;
  TwoPanel<T> state_;
  Panel<T> bar_, ordered_, ordered_out_, ordered_low_, ordered_out_low_;
  Panel<T> condition_, ordered_condition_;          ///< [conditions]
  Panel<T> condition_bar_, ordered_condition_bar_;  ///< the same; null where not wanted
  T *log_det_, *error_, *bias_, *weight_, *own_log_det_, *own_error_, *own_bias_, *completed_;
  T* scores_ = nullptr;  ///< a loss: [rows, dim] of the latents and [rows, dim] of their scores
};

template <class T>
FlowWorker<T>::FlowWorker(const FlowPlan<T>& plan, Arena& arena) : plan_(plan) {
  const TileProgram& program = plan.program();
  const int64_t columns = plan.rows();
  TapeShape shape;
  shape.dim = program.dim;
  for (size_t k = 0; k < program.steps.size(); ++k) {
    const auto* block = std::get_if<TileBlock>(&program.steps[k]);
    if (block == nullptr) continue;
    shape.include(*block);
    last_block_ = k;
  }
  steps_.resize(program.steps.size());
  tapes_.resize(plan.keep_tapes ? program.steps.size() : 1);
  if (!plan.keep_tapes) tapes_[0].allocate(arena, shape, plan.vectors);
  for (size_t k = 0; k < program.steps.size(); ++k) {
    const auto* block = std::get_if<TileBlock>(&program.steps[k]);
    steps_[k].point = take_panel<T>(arena, program.dim, columns);
    if (block == nullptr) continue;
    TapeShape own;
    own.include(*block);
    if (plan.keep_tapes) tapes_[k].allocate(arena, own, plan.vectors);
    if (plan.keep_z) steps_[k].z = take_panel<T>(arena, block->net.z_rows, columns);
    if (!block->has_series()) continue;
    steps_[k].order = arena.take<int64_t>(columns);
    steps_[k].sorted_counts = arena.take<int64_t>(columns);
    steps_[k].counts = arena.take<T>(columns);
    if (plan.keep_tapes) continue;
    steps_[k].probe_sum = take_panel<T>(arena, program.dim, tangent_count(*block) * columns);
    steps_[k].value_sum = take_panel<T>(arena, program.dim, tangent_count(*block) * columns);
  }
  scratch_.allocate(arena, shape, plan.vectors, backward());
  for (Panel<T>* p : {&state_.high, &state_.low, &bar_, &ordered_, &ordered_out_, &ordered_low_,
                      &ordered_out_low_})
    *p = take_panel<T>(arena, program.dim, columns);
  for (Panel<T>* p : {&condition_, &ordered_condition_})
    *p = take_panel<T>(arena, program.conditions, columns);
  if (wants_condition_bar()) {
    for (Panel<T>* p : {&condition_bar_, &ordered_condition_bar_})
      *p = take_panel<T>(arena, program.conditions, columns);
  }
  for (T** p :
       {&log_det_, &error_, &bias_, &weight_, &own_log_det_, &own_error_, &own_bias_, &completed_})
    *p = arena.take<T>(columns);
  if (plan.call->mode == TileMode::kLoss) scores_ = arena.take<T>(2 * program.dim * columns);
}

// Rows of the batch become columns; padding is zero.
template <class T>
void FlowWorker<T>::load_rows(const T* from, Panel<T> to, int64_t d) const {
  for (int64_t r = 0; r < d; ++r) {
    T* row = to.row(r);
    for (int64_t s = 0; s < rows_.samples; ++s) row[s] = from[(first_ + s) * d + r];
    std::fill(row + rows_.samples, row + width(), T(0));
  }
}

template <class T>
void FlowWorker<T>::store_rows(Panel<T> from, T* to, int64_t d) const {
  for (int64_t s = 0; s < rows_.samples; ++s) {
    for (int64_t r = 0; r < d; ++r) to[(first_ + s) * d + r] = from.row(r)[s];
  }
}

// The scores of the density at the rows' ends, in bar_.
template <class T>
void FlowWorker<T>::load_scores() const {
  const int64_t d = dim();
  T* rows = scores_;
  T* scores = scores_ + width() * d;
  for (int64_t s = 0; s < rows_.samples; ++s) {
    for (int64_t r = 0; r < d; ++r) rows[s * d + r] = state_.high.row(r)[s];
  }
  plan_.call->score->score(rows, rows_.samples, d, scores);
  for (int64_t r = 0; r < d; ++r) {
    T* bar = bar_.row(r);
    for (int64_t s = 0; s < rows_.samples; ++s) bar[s] = scores[s * d + r];
    std::fill(bar + rows_.samples, bar + width(), T(0));
  }
}

template <class T>
void FlowWorker<T>::load_values(const T* from, T* to) const {
  std::copy_n(from + first_, rows_.samples, to);
  std::fill(to + rows_.samples, to + width(), T(0));
}

// Samples with the most terms first, so that those still at work in a chain are the first vectors.
template <class T>
void FlowWorker<T>::sort_by_counts(const TileBlock& block, StepState<T>& step) {
  const auto all = static_cast<int64_t>(block.series.terms.size());
  const int64_t* counts = block.series.counts;
  const auto count_of = [&](int64_t s) {
    if (s >= rows_.samples) return int64_t{0};
    return counts == nullptr ? all : counts[first_ + s];
  };
  std::iota(step.order, step.order + width(), int64_t{0});
  std::stable_sort(step.order, step.order + rows_.samples,
                   [&](int64_t a, int64_t b) { return count_of(a) > count_of(b); });
  for (int64_t s = 0; s < width(); ++s) {
    step.sorted_counts[s] = count_of(step.order[s]);
    step.counts[s] = static_cast<T>(step.sorted_counts[s]);
  }
  rows_.counts = step.counts;
  rows_.sorted_counts = step.sorted_counts;
}

template <class T>
Panel<T> FlowWorker<T>::to_order(const StepState<T>& step, Panel<T> natural, Panel<T> scratch,
                                 int64_t rows) const {
  if (step.order == nullptr) return natural;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t s = 0; s < width(); ++s) scratch.row(r)[s] = natural.row(r)[step.order[s]];
  }
  return scratch;
}

template <class T>
void FlowWorker<T>::from_order(const StepState<T>& step, Panel<T> ordered, Panel<T> natural) const {
  for (int64_t r = 0; r < dim(); ++r) {
    for (int64_t s = 0; s < width(); ++s)
      natural.row(r)[step.order == nullptr ? s : step.order[s]] = ordered.row(r)[s];
  }
}

template <class T>
void FlowWorker<T>::load_probes(const TileBlock& block, const StepState<T>& step,
                                const BlockWorker<T>& worker) const {
  const T* probes = static_cast<const T*>(block.series.probes);
  for (int64_t p = 0; p < block.series.probe_count; ++p) {
    const T* from = probes + p * plan_.call->batch * dim();
    for (int64_t r = 0; r < dim(); ++r) {
      T* row = worker.probe(p).row(r);
      for (int64_t s = 0; s < width(); ++s) {
        const int64_t sample = step.order[s];
        row[s] = sample < rows_.samples ? from[(first_ + sample) * dim() + r] : T(0);
      }
    }
  }
}

template <class T>
void FlowWorker<T>::load_condition() {
  const TileProgram& program = plan_.program();
  rows_.conditions = program.conditions;
  if (program.conditions == 0) return;
  load_rows(static_cast<const T*>(program.condition), condition_, program.conditions);
  if (wants_condition_bar()) zero_rows(condition_bar_, program.conditions, width());
}

template <class T>
void FlowWorker<T>::order_condition(const TileBlock& block, const StepState<T>& step) {
  const bool used = block.net.shift_rows > 0;
  if (used) rows_.condition = to_order(step, condition_, ordered_condition_, rows_.conditions);
  rows_.condition_bar = used && wants_condition_bar() ? ordered_condition_bar_ : Panel<T>{};
}

template <class T>
void FlowWorker<T>::add_condition_bar(const TileBlock& block, const StepState<T>& step) const {
  if (block.net.shift_rows == 0 || !wants_condition_bar()) return;
  for (int64_t r = 0; r < rows_.conditions; ++r) {
    for (int64_t s = 0; s < width(); ++s)
      condition_bar_.row(r)[step.order == nullptr ? s : step.order[s]] +=
          ordered_condition_bar_.row(r)[s];
  }
}

template <class T>
void FlowWorker<T>::note(const TileSolveOutcome& outcome, const StepState<T>& step,
                         const T* error) {
  status_->iterations = std::max(status_->iterations, outcome.iterations);
  if (outcome.failed_sample < 0 || status_->row >= 0) return;
  const int64_t place = outcome.failed_sample;
  status_->row = first_ + (step.order == nullptr ? place : step.order[place]);
  status_->bound = error == nullptr ? 0.0 : static_cast<double>(error[place]);
  status_->diverged = outcome.diverged;
}

template <class T>
void FlowWorker<T>::forward_affine(const TileAffine& affine, size_t k) {
  for (int64_t r = 0; r < dim(); ++r) {
    const double shift = affine.shift[r];
    const Two<T> two_shift{set<T>(shift),
                           set<T>(shift - static_cast<double>(static_cast<T>(shift)))};
    for (int64_t c = 0; c < width(); c += lanes<T>()) {
      const Two<T> x = load_two<T>(state_, r, c);
      store(x.high, steps_[k].point.row(r) + c);
      store_two<T>(plus<T>(times<T>(affine.scale[r], x), two_shift), state_, r, c);
    }
  }
  for (int64_t c = 0; c < width(); ++c) {
    log_det_[c] += static_cast<T>(affine.log_det);
    error_[c] *= static_cast<T>(affine.lipschitz);
  }
}

template <class T>
void FlowWorker<T>::backward_affine(const TileAffine& affine, size_t k, T* gradient) {
  T* out = gradient + plan_.affine_gradient[k];
  for (int64_t r = 0; r < dim(); ++r) {
    const Vec<T> scale = set<T>(affine.scale[r]);
    Vec<T> by_scale = hn::Zero(Tag<T>()), by_shift = by_scale;
    for (int64_t c = 0; c < width(); c += lanes<T>()) {
      const Vec<T> bar = load(bar_.row(r) + c);
      by_scale = hn::MulAdd(bar, load(steps_[k].point.row(r) + c), by_scale);
      by_shift = by_shift + bar;
      store(bar * scale, bar_.row(r) + c);
    }
    out[r] = (fresh_ ? T(0) : out[r]) + sum_lanes<T>(by_scale);
    out[dim() + r] = (fresh_ ? T(0) : out[dim() + r]) + sum_lanes<T>(by_shift);
  }
}

template <class T>
void FlowWorker<T>::forward_block(const TileBlock& block, size_t k) {
  StepState<T>& step = steps_[k];
  const TileCall<T>& call = *plan_.call;
  if (block.has_series()) sort_by_counts(block, step);
  order_condition(block, step);
  const BlockWorker<T> worker(block, plan_.nets[k], tape(k), scratch_, rows_);
  worker.bind_condition();
  const TwoPanel<T> x{to_order(step, state_.high, ordered_),
                      to_order(step, state_.low, ordered_low_)};
  Panel<T> start;
  if (call.start != nullptr && block.solves()) {
    load_rows(call.start + static_cast<int64_t>(k) * call.batch * dim(), ordered_out_);
    start = to_order(step, ordered_out_, bar_);
  }
  note(worker.find_point(x, start, own_error_), step, own_error_);
  const bool wants_log_det = call.log_det != nullptr || call.mode == TileMode::kLoss;
  if (wants_log_det) {
    if (block.has_series()) load_probes(block, step, worker);
    std::fill_n(own_log_det_, width(), T(0));
    std::fill_n(own_bias_, width(), T(0));
    worker.linearize(own_log_det_, own_bias_, log_det_use(block, k), keeps_tape(k));
    save_tape(block, k);
  }
  copy_rows(worker.point(), dim(), step.point, width());
  const TwoPanel<T> y{ordered_out_, ordered_out_low_};
  worker.output(x, y, /*fresh=*/!wants_log_det);
  from_order(step, y.high, state_.high);
  from_order(step, y.low, state_.low);
  for (int64_t s = 0; s < width(); ++s) {
    const int64_t at = step.order == nullptr ? s : step.order[s];
    if (wants_log_det) {
      log_det_[at] += own_log_det_[s];
      bias_[at] += own_bias_[s];
    }
    error_[at] =
        error_[at] * static_cast<T>(block.lipschitz) + (block.solves() ? own_error_[s] : T(0));
  }
}

template <class T>
LogDetUse FlowWorker<T>::log_det_use(const TileBlock& block, size_t k) const {
  if (plan_.call->mode != TileMode::kLoss)
    return plan_.call->probe_sums == nullptr ? LogDetUse::kValue : LogDetUse::kValueAndSum;
  return defers(block, k) ? LogDetUse::kDeferredValue : LogDetUse::kValueAndSum;
}

// What the backward half needs of a tape that the next block overwrites.
template <class T>
void FlowWorker<T>::save_tape(const TileBlock& block, size_t k) {
  StepState<T>& step = steps_[k];
  const TileCall<T>& call = *plan_.call;
  if (plan_.keep_tapes || (call.mode != TileMode::kLoss && call.probe_sums == nullptr)) return;
  if (plan_.keep_z) copy_rows(tape(k).net.z, block.net.z_rows, step.z, width());
  if (!block.has_series()) return;
  const int64_t columns = tangent_count(block) * width();
  copy_rows(tape(k).probe_sum, dim(), step.probe_sum, columns);
  if (call.mode == TileMode::kLoss) copy_rows(tape(k).value_sum, dim(), step.value_sum, columns);
}

// The tape of a block whose point, probes' sums and perhaps pre-activations are in its step; adds
// an exact block's value to log_det, unless null.
template <class T>
void FlowWorker<T>::rebuild_tape(const TileBlock& block, size_t k, const BlockWorker<T>& worker,
                                 T* log_det) {
  StepState<T>& step = steps_[k];
  copy_rows(step.point, dim(), worker.point(), width());
  if (plan_.keep_z) {
    worker.restore(step.z, log_det);
  } else {
    worker.bind_condition();
    worker.linearize(log_det, nullptr, LogDetUse::kValue, /*for_reverse=*/true);
  }
  if (!block.has_series()) return;
  load_probes(block, step, worker);
  const int64_t columns = tangent_count(block) * width();
  copy_rows(step.probe_sum, dim(), tape(k).probe_sum, columns);
  if (plan_.call->mode == TileMode::kLoss)
    copy_rows(step.value_sum, dim(), tape(k).value_sum, columns);
}

// A backward run's point, or what the forward half of this run left.
template <class T>
void FlowWorker<T>::backward_block(const TileBlock& block, size_t k, T* gradient) {
  StepState<T>& step = steps_[k];
  const TileCall<T>& call = *plan_.call;
  const BlockWorker<T> worker(block, plan_.nets[k], tape(k), scratch_, rows_);
  if (block.has_series()) {
    rows_.counts = step.counts;
    rows_.sorted_counts = step.sorted_counts;
  }
  if (call.mode == TileMode::kBackward) {
    if (block.has_series()) sort_by_counts(block, step);
    load_rows(call.points + static_cast<int64_t>(k) * call.batch * dim(), ordered_);
    copy_rows(to_order(step, ordered_, ordered_out_), dim(), step.point, width());
    if (block.has_series()) {
      for (int64_t p = 0; p < block.series.probe_count; ++p) {
        load_rows(call.probe_sums + plan_.probe_sum_begin[k] + p * call.batch * dim(), ordered_);
        copy_rows(to_order(step, ordered_, ordered_out_), dim(),
                  step.probe_sum.columns_from(p * width()), width());
      }
    }
  }
  order_condition(block, step);
  const bool deferred = defers(block, k);
  std::fill_n(completed_, width(), T(0));
  if (!keeps_tape(k))
    rebuild_tape(block, k, worker, deferred && block.exact ? completed_ : nullptr);
  const Panel<T> y_bar = to_order(step, bar_, ordered_);
  for (int64_t s = 0; s < width(); ++s)
    own_log_det_[s] = weight_[step.order == nullptr ? s : step.order[s]];
  note(worker.reverse(y_bar, own_log_det_, ordered_out_, gradient, fresh_,
                      deferred && !block.exact ? completed_ : nullptr),
       step, nullptr);
  from_order(step, ordered_out_, bar_);
  add_condition_bar(block, step);
  for (int64_t s = 0; deferred && s < width(); ++s)
    log_det_[step.order == nullptr ? s : step.order[s]] += completed_[s];
}

template <class T>
void FlowWorker<T>::save_point(size_t k) {
  const TileCall<T>& call = *plan_.call;
  const StepState<T>& step = steps_[k];
  from_order(step, step.point, ordered_);
  store_rows(ordered_, call.points + static_cast<int64_t>(k) * call.batch * dim());
  if (step.order == nullptr || call.probe_sums == nullptr) return;
  const auto& block = std::get<TileBlock>(plan_.program().steps[k]);
  for (int64_t p = 0; p < block.series.probe_count; ++p) {
    from_order(step, step.probe_sum.columns_from(p * width()), ordered_);
    store_rows(ordered_, call.probe_sums + plan_.probe_sum_begin[k] + p * call.batch * dim());
  }
}

template <class T>
void FlowWorker<T>::run(int64_t first, int64_t count, T* gradient, bool fresh,
                        TileSolveStatus& status) {
  const TileCall<T>& call = *plan_.call;
  const auto& steps = plan_.program().steps;
  first_ = first;
  fresh_ = fresh;
  status_ = &status;
  rows_.samples = count;
  rows_.vectors = (count + lanes<T>() - 1) / lanes<T>();
  for (T* p : {log_det_, error_, bias_}) std::fill_n(p, width(), T(0));
  load_condition();
  if (call.mode != TileMode::kBackward) {
    load_rows(call.x, state_.high);
    zero_rows(state_.low, dim(), width());
    for (size_t k = 0; k < steps.size(); ++k) {
      if (const auto* block = std::get_if<TileBlock>(&steps[k])) {
        forward_block(*block, k);
      } else {
        forward_affine(std::get<TileAffine>(steps[k]), k);
      }
      if (call.points != nullptr) save_point(k);
    }
    if (call.y != nullptr) store_rows(state_.high, call.y);
    if (call.solve_error != nullptr) std::copy_n(error_, count, call.solve_error + first);
    if (call.bias_bound != nullptr) std::copy_n(bias_, count, call.bias_bound + first);
  }
  if (backward()) run_backward(gradient);
  // Last: a loss completes it on the way back.
  if (call.log_det != nullptr) std::copy_n(log_det_, rows_.samples, call.log_det + first);
}

template <class T>
void FlowWorker<T>::run_backward(T* gradient) {
  const TileCall<T>& call = *plan_.call;
  const auto& steps = plan_.program().steps;
  load_values(call.log_det_bar, weight_);
  if (call.mode == TileMode::kLoss) {
    load_scores();
    for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
      store(load(weight_ + c) * load(bar_.row(r) + c), bar_.row(r) + c);
    });
  } else {
    load_rows(call.y_bar, bar_);
  }
  for (size_t k = steps.size(); k-- > 0;) {
    if (const auto* block = std::get_if<TileBlock>(&steps[k])) {
      backward_block(*block, k, gradient);
      continue;
    }
    if (call.mode == TileMode::kBackward)
      load_rows(call.points + static_cast<int64_t>(k) * call.batch * dim(), steps_[k].point);
    backward_affine(std::get<TileAffine>(steps[k]), k, gradient);
  }
  if (call.x_bar != nullptr) store_rows(bar_, call.x_bar);
  if (wants_condition_bar()) store_rows(condition_bar_, call.condition_bar, rows_.conditions);
}

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
