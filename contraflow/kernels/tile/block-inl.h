// Included once per instruction set by tile/run.cpp (Highway's convention): no include guard.
#if defined(CONTRAFLOW_TILE_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONTRAFLOW_TILE_BLOCK_INL_H_
#undef CONTRAFLOW_TILE_BLOCK_INL_H_
#else
#define CONTRAFLOW_TILE_BLOCK_INL_H_
#endif

#include "contraflow/kernels/tile/arena.h"
#include "contraflow/kernels/tile/log_det-inl.h"
#include "contraflow/kernels/tile/solve-inl.h"
#include "contraflow/kernels/tile/two-inl.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

template <class T>
Panel<T> take_panel(Arena& arena, int64_t rows, int64_t columns) {
  return {arena.take<T>(rows * columns), columns};
}

/// Tangents of a block's dual reverse: the unit vectors, or the probes.
HWY_INLINE int64_t tangent_count(const TileBlock& block) {
  return block.exact ? block.net.dim : block.series.probe_count;
}

/// Room that a tape needs; for a tape that several blocks share, the most that any needs.
struct TapeShape {
  int64_t dim = 0, features = 0, z_rows = 0, slope_rows = 0, tangents = 0, memory = 0;
  int64_t shift_rows = 0;
  int64_t widest = 0;        ///< outputs of a layer
  int64_t bar_features = 0;  ///< rows of bars of features: the input's alone in a plain sequence
  bool exact = false, solves = false, series = false;

  void include(const TileBlock& block) {
    dim = block.net.dim;
    features = std::max(features, block.net.features);
    z_rows = std::max(z_rows, block.net.z_rows);
    slope_rows = std::max(slope_rows, block.net.slope_rows);
    shift_rows = std::max(shift_rows, block.net.shift_rows);
    tangents = std::max(tangents, tangent_count(block));
    memory = std::max(memory, block.memory);
    bool plain = true;
    for (size_t k = 0; k < block.net.layers.size(); ++k) {
      widest = std::max(widest, block.net.layers[k].outputs);
      plain = plain && (k == 0 || follows(block.net, k));
    }
    bar_features = std::max(bar_features, plain && !block.solves() ? dim : block.net.features);
    exact = exact || block.exact;
    solves = solves || block.solves();
    series = series || !block.exact;
  }
};

/// A block linearised at the points of one tile, kept from the forward to the backward half.
template <class T>
struct BlockTape {
  NetTape<T> net;
  T* weights = nullptr;  ///< exact: [vectors][dim dim] vectors; see ExactParts
  T* solver = nullptr;
  Panel<T> probe_sum;  ///< series: [dim, probes x vectors]
  Panel<T> value_sum;  ///< the same, where the series' value is completed in reverse()

  void allocate(Arena& arena, const TapeShape& shape, int64_t vectors) {
    const int64_t width = vectors * lanes<T>(), all = (1 + shape.tangents) * width;
    net.features = take_panel<T>(arena, shape.features, all);
    net.z = take_panel<T>(arena, shape.z_rows, all);
    net.slope = take_panel<T>(arena, shape.slope_rows, width);
    net.curvature = take_panel<T>(arena, shape.slope_rows, width);
    const int64_t square = shape.dim * shape.dim * width;
    if (shape.exact) weights = arena.take<T>(square);
    if (shape.exact && shape.solves) solver = arena.take<T>(square);
    if (!shape.series) return;
    probe_sum = take_panel<T>(arena, shape.dim, shape.tangents * width);
    value_sum = take_panel<T>(arena, shape.dim, shape.tangents * width);
  }
};

/// What a thread's blocks share while they work.
template <class T>
struct BlockScratch {
  NetTape<T> value;  ///< for G alone
  Panel<T> z_bar, features_bar;
  Panel<T> shift;  ///< see NetTape
  VjpScratch<T> vjp;
  Panel<T> chain, chain_image;
  T* outer = nullptr;
  SolveScratch<T> solve;
  TwoPanel<T> right;    ///< [dim] right side of a solve
  Panel<T> point_low;   ///< [dim] what the point's rounding left
  T* length = nullptr;  ///< [samples]

  /// `backward`: a dual reverse comes, and a value alone only in solves.
  void allocate(Arena& arena, const TapeShape& shape, int64_t vectors, bool backward);
};

template <class T>
void BlockScratch<T>::allocate(Arena& arena, const TapeShape& shape, int64_t vectors,
                               bool backward) {
  const int64_t memory = shape.memory;
  const int64_t width = vectors * lanes<T>(), all = (1 + shape.tangents) * width, dim = shape.dim;
  // Values alone come before, never during, a dual reverse: they share its memory.
  const bool values = !backward || shape.solves;
  const int64_t features =
      std::max(values ? shape.features * width : 0, backward ? shape.bar_features * all : 0);
  features_bar = {arena.take<T>(features), all};
  z_bar = {arena.take<T>(backward ? shape.z_rows * all : shape.z_rows * width), all};
  value.vectors = vectors;
  value.features = {features_bar.data, width};
  value.z = {z_bar.data, width};
  shift = take_panel<T>(arena, shape.shift_rows, width);
  value.shift = shift;
  vjp.features_bar = take_panel<T>(arena, shape.bar_features, width);
  vjp.z_bar = take_panel<T>(arena, shape.widest, width);
  vjp.other = take_panel<T>(arena, shape.widest, width);
  chain = take_panel<T>(arena, dim, width);
  chain_image = take_panel<T>(arena, dim, width);
  outer = arena.take<T>(backward ? all * outer_width<T>() : 0);
  solve.trial = take_panel<T>(arena, dim, width);
  solve.best = take_panel<T>(arena, dim, width);
  solve.image = take_panel<T>(arena, dim, width);
  solve.point_steps = take_panel<T>(arena, memory * dim, width);
  solve.steps = take_panel<T>(arena, memory * dim, width);
  solve.input = value.features;
  solve.error = arena.take<T>(width);
  solve.value = take_panel<T>(arena, dim, width);
  right = {take_panel<T>(arena, dim, width), take_panel<T>(arena, dim, width)};
  point_low = take_panel<T>(arena, dim, width);
  length = arena.take<T>(width);
}

/// The samples of one tile, in the order a block works on them.
template <class T>
struct TileRows {
  int64_t samples = 0;  ///< without the padding of the last vector
  int64_t vectors = 0;
  const T* counts = nullptr;  ///< series: terms of each sample, descending; 0 in padding
  const int64_t* sorted_counts = nullptr;
  Panel<T> condition;      ///< [conditions, samples]
  Panel<T> condition_bar;  ///< the same: out; null where not wanted
  int64_t conditions = 0;
};

/// What linearize() leaves.
enum class LogDetUse {
  kValue,         ///< log_det
  kValueAndSum,   ///< log_det and, of a series, the probes' sums
  kDeferredValue  ///< the probes' sums of a series, whose part of log_det comes from reverse(); of
                  ///< an exact block only the net's value, and log_det when the tape is made again
};

/// One contractive block on one tile.
template <class T>
class BlockWorker {
 public:
  BlockWorker(const TileBlock& block, const NetView<T>& view, BlockTape<T>& tape,
              const BlockScratch<T>& scratch, const TileRows<T>& rows)
      : block_(block), view_(view), tape_(tape), s_(scratch), rows_(rows) {
    tape_.net.vectors = rows.vectors;
    tape_.net.tangents = tangent_count(block);
    tape_.net.shift = scratch.shift;
  }

  /// What the condition adds to the layers, before values are computed: find_point(), linearize().
  void bind_condition() const {
    if (view_.net->shift_rows > 0) shift_pass(view_, rows_.condition, s_.shift, rows_.vectors);
  }

  /// The hidden point of x: in the tape's features. error [samples]: of y, where solved. `start`
  /// (may be null) is where a solve begins.
  TileSolveOutcome find_point(TwoPanel<T> x, Panel<T> start, T* error) const;
  /// Linearises at the point; log_det += the estimate. Probes v: in the tape's tangent columns.
  /// `for_reverse`: the tape stays as it is until reverse().
  void linearize(T* log_det, T* bias, LogDetUse use, bool for_reverse) const;
  /// The tape as linearize() left it for reverse(), from the pre-activations z that it computed; an
  /// exact block's value is added to log_det, unless null.
  void restore(Panel<T> z, T* log_det) const;
  /// y from the point and x, after linearize() or, with `fresh`, without it.
  void output(TwoPanel<T> x, TwoPanel<T> y, bool fresh) const;
  /// x_bar from y_bar and the log-determinant's weights c; adds parameter gradients, or with
  /// `fresh` writes them. A deferred value is added to log_det, unless null.
  TileSolveOutcome reverse(Panel<T> y_bar, const T* c, Panel<T> x_bar, T* gradient, bool fresh,
                           T* log_det) const;

  Panel<T> point() const { return tape_.net.features; }
  /// Between find_point() and output().
  TwoPanel<T> exact_point() const { return {point(), s_.point_low}; }
  Panel<T> probe(int64_t p) const { return tape_.net.features.columns_from((1 + p) * width()); }

 private:
  int64_t width() const { return rows_.vectors * lanes<T>(); }
  int64_t dim() const { return block_.net.dim; }
  void set_unit_tangents() const;
  void add_exact(T* log_det) const;
  void add_deferred(T* log_det) const;
  void set_top(Panel<T> y_bar, const T* c) const;
  TileSolveOutcome solve_adjoint(Panel<T> right, Panel<T> lambda) const;

  const TileBlock& block_;
  const NetView<T>& view_;
  BlockTape<T>& tape_;
  const BlockScratch<T>& s_;
  const TileRows<T>& rows_;
};

template <class T, class F>
HWY_INLINE void for_each(int64_t rows, int64_t columns, F&& f) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; c += lanes<T>()) f(r, c);
  }
}

template <class T>
TileSolveOutcome BlockWorker<T>::find_point(TwoPanel<T> x, Panel<T> start, T* error) const {
  const double inverse = 1.0 / block_.a;
  if (!block_.solves()) {
    for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
      store_two<T>(times<T>(inverse, load_two<T>(x, r, c)), exact_point(), r, c);
    });
    return {};
  }
  for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
    const Two<T> right = times<T>(inverse, load_two<T>(x, r, c));
    store_two<T>(right, s_.right, r, c);
    store(start.data == nullptr ? right.high : load(start.row(r) + c), s_.solve.trial.row(r) + c);
  });
  const double to_y = std::abs(block_.determinant() / block_.b);
  SolveRule<T> rule;
  rule.contraction = std::abs(block_.b / block_.a) * block_.kappa;
  rule.factor = -block_.b / block_.a;
  rule.tolerance = block_.tolerance / to_y;
  rule.to_rounding = block_.to_rounding;
  rule.memory = std::min({block_.memory, dim(), kMostMemory});
  rule.max_iterations = block_.max_iterations;
  rule.dim = dim();
  const TileSolveOutcome outcome =
      solve_tile<true>(rule, s_.solve, s_.right.high, rows_.vectors, rows_.samples,
                       [&](int64_t count, const int64_t* places) HWY_ATTR {
                         NetTape<T> value = s_.value;
                         value.places = places;
                         value_pass(view_, value, count);
                         return net_output(view_, value);
                       });
  // The solution again, from G at the best point and the right side that was not rounded.
  const Vec<T> factor = set<T>(rule.factor);
  for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
    const Vec<T> step = factor * load(s_.solve.value.row(r) + c);
    store_two<T>(plus<T>(load_two<T>(s_.right, r, c), step), exact_point(), r, c);
  });
  for (int64_t k = 0; k < width(); ++k) error[k] = s_.solve.error[k] * static_cast<T>(to_y);
  return outcome;
}

template <class T>
void BlockWorker<T>::set_unit_tangents() const {
  for (int64_t r = 0; r < dim(); ++r) {
    for (int64_t p = 0; p < dim(); ++p) std::fill_n(probe(p).row(r), width(), T(p == r ? 1 : 0));
  }
}

// The exact log-determinant from the tangents of the net's output, with the parts for reverse().
template <class T>
void BlockWorker<T>::add_exact(T* log_det) const {
  constexpr int64_t n = lanes<T>();
  const int64_t square = dim() * dim() * n;
  for (int64_t v = 0; v < rows_.vectors; ++v) {
    const ExactParts<T> parts{tape_.weights + v * square,
                              tape_.solver == nullptr ? nullptr : tape_.solver + v * square};
    const Vec<T> value =
        exact_log_det(block_, net_output(view_, tape_.net), rows_.vectors, v, parts);
    if (log_det != nullptr) store(load(log_det + v * n) + value, log_det + v * n);
  }
}

template <class T>
void BlockWorker<T>::linearize(T* log_det, T* bias, LogDetUse use, bool for_reverse) const {
  constexpr int64_t n = lanes<T>();
  NetTape<T> net = tape_.net;
  if (!for_reverse) net.curvature.data = nullptr;
  if (block_.exact) {
    if (use == LogDetUse::kDeferredValue) return value_pass(view_, net, rows_.vectors);
    set_unit_tangents();
    value_pass(view_, net, rows_.vectors, /*with_tangents=*/true);
    return add_exact(log_det);
  }
  value_pass(view_, net, rows_.vectors);
  if (log_det == nullptr) return;  // backward: the probes' sums are there already
  const Vec<T> constant = set<T>(block_.series.constant);
  for (int64_t c = 0; c < width(); c += n) store(load(log_det + c) + constant, log_det + c);
  const SeriesChain<T> chain{block_.series, view_,          tape_.net,    s_.vjp,
                             s_.chain,      s_.chain_image, rows_.counts, rows_.sorted_counts,
                             rows_.samples};
  for (int64_t p = 0; p < tape_.net.tangents; ++p) {
    typename SeriesChain<T>::Sums sums;
    const auto zeroed = [&](Panel<T> panel) {
      zero_rows(panel.columns_from(p * width()), dim(), width());
      return panel.columns_from(p * width());
    };
    if (use != LogDetUse::kValue) sums.neumann = zeroed(tape_.probe_sum);
    if (use == LogDetUse::kDeferredValue) sums.deferred = zeroed(tape_.value_sum);
    if (use != LogDetUse::kDeferredValue) sums.value = log_det;
    if (block_.series.tail_factor > 0 && use != LogDetUse::kDeferredValue) sums.bias = bias;
    chain.run(probe(p), 1.0 / static_cast<double>(tape_.net.tangents), sums);
  }
}

template <class T>
void BlockWorker<T>::restore(Panel<T> z, T* log_det) const {
  copy_rows(z, view_.net->z_rows, tape_.net.z, width());
  activate_again(view_, tape_.net);
  if (!block_.exact) return;
  set_unit_tangents();
  tangent_pass(view_, tape_.net);
  add_exact(log_det);
}

// sum_p s_p . (J - shift) v_p: the tangents have given J v_p.
template <class T>
void BlockWorker<T>::add_deferred(T* log_det) const {
  const Panel<T> images = net_output(view_, tape_.net);
  const Vec<T> shift = set<T>(block_.series.shift);
  for (int64_t p = 0; p < tape_.net.tangents; ++p) {
    for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
      const Vec<T> image = load(images.row(r) + (1 + p) * width() + c);
      const Vec<T> of_v = hn::NegMulAdd(shift, load(probe(p).row(r) + c), image);
      store(hn::MulAdd(load(tape_.value_sum.row(r) + p * width() + c), of_v, load(log_det + c)),
            log_det + c);
    });
  }
}

template <class T>
void BlockWorker<T>::output(TwoPanel<T> x, TwoPanel<T> y, bool fresh) const {
  const TwoPanel<T> w = exact_point();
  if (block_.solves()) {  // G(w) eliminated: y is exact in x
    const double of_w = -block_.determinant() / block_.b, of_x = block_.d / block_.b;
    for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
      const Two<T> from_w = times<T>(of_w, load_two<T>(w, r, c));
      store_two<T>(plus<T>(from_w, times<T>(of_x, load_two<T>(x, r, c))), y, r, c);
    });
    return;
  }
  if (fresh) {
    copy_rows(point(), dim(), s_.value.features, width());
    value_pass(view_, s_.value, rows_.vectors);
  }
  const Panel<T> g = net_output(view_, fresh ? s_.value : tape_.net);
  const Vec<T> of_g = set<T>(block_.d);
  for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
    const Two<T> from_w = times<T>(block_.c, load_two<T>(w, r, c));
    store_two<T>(plus<T>(from_w, of_g * load(g.row(r) + c)), y, r, c);
  });
}

// (D y_bar, c u_1, ...) on top of the dual reverse.
template <class T>
void BlockWorker<T>::set_top(Panel<T> y_bar, const T* c_bar) const {
  constexpr int64_t n = lanes<T>();
  const Panel<T> top = s_.z_bar.rows_from(view_.net->layers.back().z_begin);
  const int64_t square = dim() * dim() * n;
  for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
    store(set<T>(block_.d) * load(y_bar.row(r) + c), top.row(r) + c);
    const Vec<T> weight = load(c_bar + c);
    for (int64_t p = 0; p < tape_.net.tangents; ++p) {
      const T* u = block_.exact ? tape_.weights + (c / n) * square + (p * dim() + r) * n
                                : tape_.probe_sum.row(r) + p * width() + c;
      store(weight * load(u), top.row(r) + (1 + p) * width() + c);
    }
  });
}

// lambda with (A + B J)^T lambda = right.
template <class T>
TileSolveOutcome BlockWorker<T>::solve_adjoint(Panel<T> right, Panel<T> lambda) const {
  constexpr int64_t n = lanes<T>();
  if (block_.exact) {
    const int64_t square = dim() * dim() * n;
    for_each<T>(dim(), width(), [&](int64_t i, int64_t c) HWY_ATTR {
      Vec<T> sum = hn::Zero(Tag<T>());
      for (int64_t r = 0; r < dim(); ++r) {
        const T* m = tape_.solver + (c / n) * square + (r * dim() + i) * n;
        sum = hn::MulAdd(load(m), load(right.row(r) + c), sum);
      }
      store(sum, lambda.row(i) + c);
    });
    return {};
  }
  // Samples are scaled to length 1, so that one tolerance is a relative one for each.
  for (int64_t c = 0; c < width(); c += n) {
    Vec<T> sum = hn::Zero(Tag<T>());
    for (int64_t r = 0; r < dim(); ++r)
      sum = hn::MulAdd(load(right.row(r) + c), load(right.row(r) + c), sum);
    store(hn::Max(hn::Sqrt(sum), set<T>(std::numeric_limits<float>::min())), s_.length + c);
  }
  for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
    const Vec<T> unit = load(right.row(r) + c) / (load(s_.length + c) * set<T>(block_.a));
    store(unit, s_.right.high.row(r) + c);
    store(unit, s_.solve.trial.row(r) + c);
  });
  SolveRule<T> rule;
  rule.contraction = std::abs(block_.b / block_.a) * block_.kappa;
  rule.factor = -block_.b / block_.a;
  rule.tolerance = block_.backward_tolerance;
  rule.memory = std::min({block_.memory, dim(), kMostMemory});
  rule.max_iterations = block_.max_iterations;
  rule.dim = dim();
  const TileSolveOutcome outcome =
      solve_tile<false>(rule, s_.solve, s_.right.high, rows_.vectors, rows_.samples,
                        [&](int64_t count, const int64_t* /*places*/) HWY_ATTR {
                          vjp(view_, tape_.net, s_.solve.input, count, s_.vjp, s_.chain);
                          return s_.chain;
                        });
  for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
    store(load(s_.solve.image.row(r) + c) * load(s_.length + c), lambda.row(r) + c);
  });
  return outcome;
}

template <class T>
TileSolveOutcome BlockWorker<T>::reverse(Panel<T> y_bar, const T* c_bar, Panel<T> x_bar,
                                         T* gradient, bool fresh, T* log_det) const {
  if (fresh) clear_betas(view_, gradient);
  if (!block_.exact) tangent_pass(view_, tape_.net);
  if (log_det != nullptr) add_deferred(log_det);
  set_top(y_bar, c_bar);
  const DualReverse<T> dual(view_, tape_.net, s_.z_bar, s_.features_bar, gradient);
  dual.run();
  const Vec<T> scale = set<T>(block_.c);
  for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
    store(hn::MulAdd(scale, load(y_bar.row(r) + c), load(s_.features_bar.row(r) + c)),
          s_.features_bar.row(r) + c);
  });
  TileSolveOutcome outcome;
  if (!block_.solves()) {
    const Vec<T> inverse = set<T>(1.0 / block_.a);
    for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
      store(load(s_.features_bar.row(r) + c) * inverse, x_bar.row(r) + c);
    });
  } else {
    outcome = solve_adjoint(s_.features_bar, x_bar);
    for_each<T>(dim(), width(), [&](int64_t r, int64_t c) HWY_ATTR {
      store(load(x_bar.row(r) + c) * set<T>(-block_.b), s_.chain_image.row(r) + c);
    });
    dual.add_value(s_.chain_image, s_.vjp);
  }
  add_weight_gradients(view_, tape_.net, s_.z_bar, rows_.condition, gradient, fresh, s_.outer);
  if (rows_.condition_bar.data != nullptr)
    condition_down(view_, s_.z_bar, rows_.condition_bar, rows_.conditions, rows_.vectors);
  return outcome;
}

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
