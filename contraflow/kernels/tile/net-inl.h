// Included once per instruction set by tile/run.cpp (Highway's convention): no include guard.
#if defined(CONTRAFLOW_TILE_NET_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONTRAFLOW_TILE_NET_INL_H_
#undef CONTRAFLOW_TILE_NET_INL_H_
#else
#define CONTRAFLOW_TILE_NET_INL_H_
#endif

#include <algorithm>

#include "contraflow/kernels/tile/activations-inl.h"
#include "contraflow/kernels/tile/call.h"
#include "contraflow/kernels/tile/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

/// A net and its weights in the order of the products.
template <class T>
struct NetView {
  const TileNet* net = nullptr;
  const PackedLayer<T>* packed = nullptr;
  const int64_t* gradient_begin = nullptr;  ///< per layer, in a thread's padded buffer
};

/// What a pass through a net leaves for the derivatives. Columns: `vectors` vectors of samples,
/// then as many for each tangent.
template <class T>
struct NetTape {
  Panel<T> features;   ///< [features, (1 + tangents) vectors]
  Panel<T> z;          ///< [z_rows, (1 + tangents) vectors]: pre-activations and their tangents
  Panel<T> slope;      ///< [slope_rows, vectors]; null: values only
  Panel<T> curvature;  ///< [slope_rows, vectors]
  Panel<T> shift;      ///< [shift_rows, vectors]: bias + V h of the layers that have a condition
  /// The vectors of `shift` that belong to the first ones; null: the first ones.
  const int64_t* places = nullptr;
  int64_t vectors = 0;
  int64_t tangents = 0;

  HWY_INLINE int64_t all() const { return (1 + tangents) * vectors; }
};

template <class T>
HWY_INLINE void copy_rows(Panel<T> from, int64_t rows, Panel<T> to, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) std::copy_n(from.row(r), columns, to.row(r));
}

template <class T>
HWY_INLINE void zero_rows(Panel<T> p, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) std::fill_n(p.row(r), columns, T(0));
}

template <class T>
HWY_INLINE void add_bias(const TileLayer& layer, Panel<T> z, int64_t vectors) {
  const T* bias = static_cast<const T*>(layer.bias);
  if (bias == nullptr) return;
  for (int64_t o = 0; o < layer.outputs; ++o) {
    const Vec<T> shift = hn::Set(Tag<T>(), bias[o]);
    T* row = z.row(o);
    for (int64_t c = 0; c < vectors * lanes<T>(); c += lanes<T>())
      store(load(row + c) + shift, row + c);
  }
}

// z += bias + V h, which are of every sample.
template <class T>
HWY_INLINE void add_shift(const TileLayer& layer, const NetTape<T>& tape, Panel<T> z, int64_t begin,
                          int64_t end, int64_t vectors) {
  constexpr int64_t n = lanes<T>();
  for (int64_t o = begin; o < end; ++o) {
    const T* shift = tape.shift.row(layer.shift_begin + o);
    T* row = z.row(o);
    for (int64_t v = 0; v < vectors; ++v) {
      const int64_t from = tape.places == nullptr ? v : tape.places[v];
      store(load(row + v * n) + load(shift + from * n), row + v * n);
    }
  }
}

// z += bias; features = phi(z), with their tangents; on request slope and curvature. Some rows of a
// layer, while they are in the first-level cache.
template <class T>
struct ActivateRows {
  const TileLayer& layer;
  const NetTape<T>& tape;
  int64_t vectors;
  bool with_tangents;
  bool with_bias;  ///< else z has it already
  int64_t begin, end;

  template <Activation kKind>
  HWY_INLINE void run() const {
    if (tape.slope.data == nullptr) return rows<kKind, 0>();
    if (tape.curvature.data == nullptr) return rows<kKind, 1>();
    return rows<kKind, 2>();
  }

 private:
  // With derivatives up to kOrder; what is not stored is not computed.
  template <Activation kKind, int kOrder>
  HWY_NOINLINE void rows() const {
    constexpr int64_t n = lanes<T>();
    const T* bias = with_bias ? static_cast<const T*>(layer.bias) : nullptr;
    const Vec<T> beta = set<T>(layer.beta);
    for (int64_t o = begin; o < end; ++o) {
      const Vec<T> shift = bias == nullptr ? hn::Zero(Tag<T>()) : hn::Set(Tag<T>(), bias[o]);
      T* z_row = tape.z.row(layer.z_begin + o);
      for (int64_t c = 0; c < vectors * n; c += n) {
        const Vec<T> z = load(z_row + c) + shift;
        if constexpr (kOrder > 0) store(z, z_row + c);
        const JetPair<T> pair = jets<kKind, T>(z, beta);
        write<kOrder>(pair.first, o, z_row, c);
        if constexpr (expansion(kKind) == 2)
          write<kOrder>(pair.second, layer.outputs + o, z_row, c);
      }
    }
  }

  template <int kOrder>
  HWY_INLINE void write(const Jet<T>& jet, int64_t row, const T* z_row, int64_t c) const {
    T* feature = tape.features.row(layer.out_begin + row) + c;
    store(jet.value, feature);
    if constexpr (kOrder > 0) store(jet.slope, tape.slope.row(layer.slope_begin + row) + c);
    if constexpr (kOrder > 1) store(jet.curvature, tape.curvature.row(layer.slope_begin + row) + c);
    if (kOrder == 0 || !with_tangents) return;
    const int64_t columns = tape.vectors * lanes<T>();
    for (int64_t p = 1; p <= tape.tangents; ++p)
      store(jet.slope * load(z_row + p * columns + c), feature + p * columns);
  }
};

HWY_INLINE int64_t halves(const TileLayer& layer) { return expansion(layer.activation); }

HWY_INLINE bool uses_beta(const TileLayer& layer) { return has_beta(layer.activation); }

// Tangents of the activation's outputs: slope times tangent of z.
template <class T>
HWY_NOINLINE void activate_tangents(const TileLayer& layer, const NetTape<T>& tape, int64_t begin,
                                    int64_t end) {
  constexpr int64_t n = lanes<T>();
  const int64_t columns = tape.vectors * n;
  for (int64_t h = 0; h < halves(layer); ++h) {
    for (int64_t o = begin; o < end; ++o) {
      const int64_t row = h * layer.outputs + o;
      const T* slope = tape.slope.row(layer.slope_begin + row);
      const T* s = tape.z.row(layer.z_begin + o);
      T* out = tape.features.row(layer.out_begin + row);
      for (int64_t p = 1; p <= tape.tangents; ++p) {
        for (int64_t c = 0; c < columns; c += n)
          store(load(slope + c) * load(s + p * columns + c), out + p * columns + c);
      }
    }
  }
}

template <class T, class After>
HWY_INLINE void linear(const TileLayer& layer, const T* packed, Panel<T> features, Panel<T> z,
                       int64_t vectors, After&& after) {
  const Panel<T> in = features.rows_from(layer.in_begin);
  if (packed != nullptr)
    return product<false>(packed, layer.outputs, layer.inputs, in, z, vectors, after);
  copy_rows(in, layer.outputs, z, vectors * lanes<T>());
  after(int64_t{0}, layer.outputs);
}

/// Values (and slopes and curvatures, where the tape has room) of the first `vectors` vectors;
/// features 0..dim-1 are set. `with_tangents` carries all tangents along in the same products.
template <class T>
void value_pass(const NetView<T>& view, const NetTape<T>& tape, int64_t vectors,
                bool with_tangents = false) {
  for (size_t k = 0; k < view.net->layers.size(); ++k) {
    const TileLayer& layer = view.net->layers[k];
    const Panel<T> z = tape.z.rows_from(layer.z_begin);
    linear(layer, view.packed[k].forward, tape.features, z, with_tangents ? tape.all() : vectors,
           [&](int64_t begin, int64_t end) HWY_ATTR {
             if (layer.conditions > 0) add_shift(layer, tape, z, begin, end, vectors);
             if (layer.activated)
               with_activation(layer.activation,
                               ActivateRows<T>{layer, tape, vectors, with_tangents,
                                               /*with_bias=*/layer.conditions == 0, begin, end});
           });
    if (!layer.activated && layer.conditions == 0) add_bias(layer, z, vectors);
  }
}

/// bias + V h of every layer that has a condition h [conditions, vectors].
template <class T>
void shift_pass(const NetView<T>& view, Panel<T> condition, Panel<T> shift, int64_t vectors) {
  for (size_t k = 0; k < view.net->layers.size(); ++k) {
    const TileLayer& layer = view.net->layers[k];
    if (layer.conditions == 0) continue;
    const Panel<T> to = shift.rows_from(layer.shift_begin);
    product<false>(view.packed[k].condition_forward, layer.outputs, layer.conditions, condition, to,
                   vectors);
    add_bias(layer, to, vectors);
  }
}

/// Features, slopes and curvatures from the pre-activations of an earlier value pass.
template <class T>
void activate_again(const NetView<T>& view, const NetTape<T>& tape) {
  for (const TileLayer& layer : view.net->layers) {
    if (layer.activated)
      with_activation(layer.activation,
                      ActivateRows<T>{layer, tape, tape.vectors, /*with_tangents=*/false,
                                      /*with_bias=*/false, 0, layer.outputs});
  }
}

/// Tangents alone, after a value pass.
template <class T>
void tangent_pass(const NetView<T>& view, const NetTape<T>& tape) {
  const int64_t first = tape.vectors * lanes<T>();
  for (size_t k = 0; k < view.net->layers.size(); ++k) {
    const TileLayer& layer = view.net->layers[k];
    linear(layer, view.packed[k].forward, tape.features.columns_from(first),
           tape.z.rows_from(layer.z_begin).columns_from(first), tape.tangents * tape.vectors,
           [&](int64_t begin, int64_t end) HWY_ATTR {
             if (layer.activated) activate_tangents(layer, tape, begin, end);
           });
  }
}

/// The net's value (and tangents): its last pre-activations.
template <class T>
HWY_INLINE Panel<T> net_output(const NetView<T>& view, const NetTape<T>& tape) {
  return tape.z.rows_from(view.net->layers.back().z_begin);
}

// One layer down: bar of its input features (+)= W^T z_bar.
template <class T, class After>
HWY_INLINE void linear_down(const TileLayer& layer, const T* packed, Panel<T> z_bar, Panel<T> in,
                            int64_t vectors, After&& after) {
  const int64_t columns = vectors * lanes<T>();
  if (packed != nullptr) {
    if (layer.shares_input)
      return product<true>(packed, layer.inputs, layer.outputs, z_bar, in, vectors, after);
    return product<false>(packed, layer.inputs, layer.outputs, z_bar, in, vectors, after);
  }
  for (int64_t r = 0; r < layer.outputs; ++r) {
    for (int64_t c = 0; c < columns; c += lanes<T>()) {
      const Vec<T> bar = load(z_bar.row(r) + c);
      store(layer.shares_input ? load(in.row(r) + c) + bar : bar, in.row(r) + c);
    }
  }
  after(int64_t{0}, layer.outputs);
}

/// Whether what layer k reads is what layer k - 1's activation wrote, row by row, and nothing else
/// reads it: then each block of rows goes through the activation as soon as its bars are there.
HWY_INLINE bool follows(const TileNet& net, size_t k) {
  if (k == 0) return false;
  const TileLayer& layer = net.layers[k];
  const TileLayer& before = net.layers[k - 1];
  return before.activated && halves(before) == 1 && !layer.shares_input &&
         layer.in_begin == before.out_begin && layer.inputs == before.outputs;
}

// beta's share of one pre-activation: phi(z; beta) = phi_1(beta z) / beta, hence
// d phi / d beta = (z phi' - phi) / beta and d phi' / d beta = z phi'' / beta.
template <class T>
HWY_INLINE Vec<T> beta_term(Vec<T> bar, Vec<T> z, Vec<T> slope, Vec<T> value) {
  return bar * hn::MulSub(z, slope, value);
}

/// What vjp() and a value's reverse work in: features_bar [features], z_bar and other of one layer.
template <class T>
struct VjpScratch {
  Panel<T> features_bar;
  Panel<T> z_bar;
  Panel<T> other;
};

// Bars of a layer's pre-activations from those of its features: begin .. end - 1.
template <class T>
HWY_NOINLINE void slopes_down(const TileLayer& layer, const NetTape<T>& tape, Panel<T> features_bar,
                              Panel<T> z_bar, int64_t vectors, int64_t begin, int64_t end) {
  const bool paired = halves(layer) == 2;
  for (int64_t o = begin; o < end; ++o) {
    const int64_t row = layer.slope_begin + o;
    for (int64_t c = 0; c < vectors * lanes<T>(); c += lanes<T>()) {
      Vec<T> sum = load(tape.slope.row(row) + c) * load(features_bar.row(o) + c);
      if (paired)
        sum = hn::MulAdd(load(tape.slope.row(row + layer.outputs) + c),
                         load(features_bar.row(o + layer.outputs) + c), sum);
      store(sum, z_bar.row(o) + c);
    }
  }
}

/// J^T u for u [dim, vectors], to `out`.
template <class T>
void vjp(const NetView<T>& view, const NetTape<T>& tape, Panel<T> u, int64_t vectors,
         const VjpScratch<T>& scratch, Panel<T> out) {
  const auto& layers = view.net->layers;
  Panel<T> z_bar = u;  // of layer k
  for (size_t k = layers.size(); k-- > 0;) {
    const TileLayer& layer = layers[k];
    if (follows(*view.net, k)) {
      // Only this layer's bars are alive: they go from one panel to the other and back.
      const Panel<T> next = z_bar.data == scratch.z_bar.data ? scratch.other : scratch.z_bar;
      linear_down(layer, view.packed[k].backward, z_bar, next, vectors,
                  [&](int64_t begin, int64_t end) HWY_ATTR {
                    slopes_down(layers[k - 1], tape, next, next, vectors, begin, end);
                  });
      z_bar = next;
      continue;
    }
    linear_down(layer, view.packed[k].backward, z_bar,
                scratch.features_bar.rows_from(layer.in_begin), vectors, [](int64_t, int64_t) {});
    if (k == 0) break;
    const TileLayer& before = layers[k - 1];
    z_bar = scratch.z_bar;
    slopes_down(before, tape, scratch.features_bar.rows_from(before.out_begin), z_bar, vectors, 0,
                before.outputs);
  }
  copy_rows(scratch.features_bar, view.net->dim, out, vectors * lanes<T>());
}

/// Where beta's gradient lies among a layer's.
template <class T>
HWY_INLINE int64_t beta_offset(const TileLayer& layer) {
  if (layer.weight == nullptr) return 0;
  return layer.inputs * gradient_stride<T>(layer.outputs) + layer.outputs;
}

/// Rounded up, so that every piece of a padded gradient starts at a vector.
HWY_INLINE int64_t padded(int64_t count) { return (count + 31) / 32 * 32; }

/// Where the gradient of V lies among a layer's: [conditions, gradient_stride(outputs)].
template <class T>
HWY_INLINE int64_t condition_offset(const TileLayer& layer) {
  return padded(beta_offset<T>(layer) + 1);
}

/// The dual reverse of  L = g . G(w) + sum_p u_p . J(w) t_p  (docs/numerics.md). The last rows of
/// z_bar hold (g, u_1, ...) on entry; on return z_bar holds the bars of all pre-activations and
/// their tangents, features_bar those of the features: rows 0..dim-1 the gradient in w. `gradient`
/// gets beta's share.
template <class T>
class DualReverse {
 public:
  DualReverse(const NetView<T>& view, const NetTape<T>& tape, Panel<T> z_bar, Panel<T> features_bar,
              T* gradient)
      : view_(view), tape_(tape), z_bar_(z_bar), features_bar_(features_bar), gradient_(gradient) {}

  void run() const {
    const auto& layers = view_.net->layers;
    for (size_t k = layers.size(); k-- > 0;) {
      const TileLayer& layer = layers[k];
      const Panel<T> z_bar = z_bar_.rows_from(layer.z_begin);
      if (follows(*view_.net, k)) {  // in place: bars of features, then of pre-activations
        const TileLayer& before = layers[k - 1];
        const Panel<T> bar = z_bar_.rows_from(before.z_begin);
        linear_down(layer, view_.packed[k].backward, z_bar, bar, tape_.all(),
                    [&](int64_t begin, int64_t end)
                        HWY_ATTR { activation_down(k - 1, before, bar, begin, end); });
        continue;
      }
      linear_down(layer, view_.packed[k].backward, z_bar, features_bar_.rows_from(layer.in_begin),
                  tape_.all(), [](int64_t, int64_t) {});
      if (k == 0) break;
      const TileLayer& before = layers[k - 1];
      activation_down(k - 1, before, features_bar_.rows_from(before.out_begin), 0, before.outputs);
    }
  }

  // A value's cotangent g [dim]: adds its bars to z_bar. scratch.z_bar holds one layer's.
  void add_value(Panel<T> g, const VjpScratch<T>& scratch) const {
    const int64_t columns = tape_.vectors * lanes<T>();
    for (size_t k = view_.net->layers.size(); k-- > 0;) {
      const TileLayer& layer = view_.net->layers[k];
      Panel<T> bar = layer.activated ? scratch.z_bar : g;
      if (layer.activated) value_down(k, layer, scratch);
      const Panel<T> sum = z_bar_.rows_from(layer.z_begin);
      for (int64_t o = 0; o < layer.outputs; ++o) {
        for (int64_t c = 0; c < columns; c += lanes<T>())
          store(load(sum.row(o) + c) + load(bar.row(o) + c), sum.row(o) + c);
      }
      if (k > 0)
        linear_down(layer, view_.packed[k].backward, bar,
                    scratch.features_bar.rows_from(layer.in_begin), tape_.vectors,
                    [](int64_t, int64_t) {});
    }
  }

 private:
  void activation_down(size_t k, const TileLayer& layer, Panel<T> features_bar, int64_t begin,
                       int64_t end) const;
  void value_down(size_t k, const TileLayer& layer, const VjpScratch<T>& scratch) const;
  void add_beta(size_t k, const TileLayer& layer, Vec<T> sum) const {
    gradient_[view_.gradient_begin[k] + beta_offset<T>(layer)] +=
        sum_lanes<T>(sum) / static_cast<T>(layer.beta);
  }

  const NetView<T>& view_;
  const NetTape<T>& tape_;
  Panel<T> z_bar_, features_bar_;
  T* gradient_;
};

template <class T>
HWY_NOINLINE void DualReverse<T>::activation_down(size_t k, const TileLayer& layer,
                                                  Panel<T> features_bar, int64_t begin,
                                                  int64_t end) const {
  constexpr int64_t n = lanes<T>();
  const int64_t columns = tape_.vectors * n;
  const bool beta = uses_beta(layer);
  Vec<T> beta_sum = hn::Zero(Tag<T>());
  for (int64_t o = begin; o < end; ++o) {
    T* bar = z_bar_.row(layer.z_begin + o);
    const T* z = tape_.z.row(layer.z_begin + o);
    for (int64_t c = 0; c < columns; c += n) {
      Vec<T> value_bar = hn::Zero(Tag<T>());
      for (int64_t h = 0; h < halves(layer); ++h) {
        const int64_t row = h * layer.outputs + o;
        const Vec<T> slope = load(tape_.slope.row(layer.slope_begin + row) + c);
        const Vec<T> curvature = load(tape_.curvature.row(layer.slope_begin + row) + c);
        const T* f_bar = features_bar.row(row) + c;
        Vec<T> bend = hn::Zero(Tag<T>());  // sum_p s_p E_p
        for (int64_t p = 1; p <= tape_.tangents; ++p) {
          const Vec<T> e = load(f_bar + p * columns);
          bend = hn::MulAdd(load(z + p * columns + c), e, bend);
          T* out = bar + p * columns + c;
          store(h == 0 ? slope * e : hn::MulAdd(slope, e, load(out)), out);
        }
        value_bar = hn::MulAdd(slope, load(f_bar), hn::MulAdd(curvature, bend, value_bar));
        if (beta) {
          const Vec<T> at = load(z + c);
          const Vec<T> value = load(tape_.features.row(layer.out_begin + row) + c);
          beta_sum = beta_sum +
                     hn::MulAdd(bend * at, curvature, beta_term<T>(load(f_bar), at, slope, value));
        }
      }
      store(value_bar, bar + c);
    }
  }
  if (beta) add_beta(k, layer, beta_sum);
}

template <class T>
HWY_NOINLINE void DualReverse<T>::value_down(size_t k, const TileLayer& layer,
                                             const VjpScratch<T>& scratch) const {
  constexpr int64_t n = lanes<T>();
  const int64_t columns = tape_.vectors * n;
  const bool beta = uses_beta(layer);
  Vec<T> beta_sum = hn::Zero(Tag<T>());
  for (int64_t o = 0; o < layer.outputs; ++o) {
    for (int64_t c = 0; c < columns; c += n) {
      Vec<T> sum = hn::Zero(Tag<T>());
      for (int64_t h = 0; h < halves(layer); ++h) {
        const int64_t row = h * layer.outputs + o;
        const Vec<T> slope = load(tape_.slope.row(layer.slope_begin + row) + c);
        const Vec<T> f_bar = load(scratch.features_bar.row(layer.out_begin + row) + c);
        sum = hn::MulAdd(slope, f_bar, sum);
        if (beta) {
          beta_sum = beta_sum + beta_term<T>(f_bar, load(tape_.z.row(layer.z_begin + o) + c), slope,
                                             load(tape_.features.row(layer.out_begin + row) + c));
        }
      }
      store(sum, scratch.z_bar.row(o) + c);
    }
  }
  if (beta) add_beta(k, layer, beta_sum);
}

/// The gradient of a condition, from the bars of a dual reverse.
template <class T>
void condition_down(const NetView<T>& view, Panel<T> z_bar, Panel<T> condition_bar,
                    int64_t conditions, int64_t vectors) {
  zero_rows(condition_bar, conditions, vectors * lanes<T>());
  for (size_t k = 0; k < view.net->layers.size(); ++k) {
    const TileLayer& layer = view.net->layers[k];
    if (layer.conditions > 0)
      product<true>(view.packed[k].condition_backward, conditions, layer.outputs,
                    z_bar.rows_from(layer.z_begin), condition_bar, vectors);
  }
}

/// Adds weight and bias gradients from the bars of a dual reverse, or with `fresh` writes them.
/// `scratch`: see outer(); `condition` as in shift_pass().
template <class T>
void add_weight_gradients(const NetView<T>& view, const NetTape<T>& tape, Panel<T> z_bar,
                          Panel<T> condition, T* gradient, bool fresh, T* scratch) {
  const auto add = [&](Panel<T> bar, int64_t outputs, Panel<T> in, int64_t inputs, int64_t vectors,
                       T* out) HWY_ATTR {
    if (fresh) return outer<false>(bar, outputs, in, inputs, vectors, out, scratch);
    outer<true>(bar, outputs, in, inputs, vectors, out, scratch);
  };
  constexpr int64_t n = lanes<T>();
  for (size_t k = 0; k < view.net->layers.size(); ++k) {
    const TileLayer& layer = view.net->layers[k];
    if (layer.weight == nullptr) continue;
    const Panel<T> bar = z_bar.rows_from(layer.z_begin);
    const Panel<T> in = tape.features.rows_from(layer.in_begin);
    T* out = gradient + view.gradient_begin[k];
    add(bar, layer.outputs, in, layer.inputs, tape.all(), out);
    if (layer.conditions > 0)
      add(bar, layer.outputs, condition, layer.conditions, tape.vectors,
          out + condition_offset<T>(layer));
    T* bias = out + layer.inputs * gradient_stride<T>(layer.outputs);
    for (int64_t o = 0; o < layer.outputs; ++o) {
      Vec<T> sum = hn::Zero(Tag<T>());
      for (int64_t c = 0; c < tape.vectors * n; c += n) sum = sum + load(bar.row(o) + c);
      bias[o] = (fresh ? T(0) : bias[o]) + sum_lanes<T>(sum);
    }
  }
}

/// Zeros where a dual reverse adds to a fresh gradient before its weights are written: the betas.
template <class T>
void clear_betas(const NetView<T>& view, T* gradient) {
  for (size_t k = 0; k < view.net->layers.size(); ++k)
    gradient[view.gradient_begin[k] + beta_offset<T>(view.net->layers[k])] = T(0);
}

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
