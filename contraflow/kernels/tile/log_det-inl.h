// Included once per instruction set by tile/run.cpp (Highway's convention): no include guard.
#if defined(CONTRAFLOW_TILE_LOG_DET_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CONTRAFLOW_TILE_LOG_DET_INL_H_
#undef CONTRAFLOW_TILE_LOG_DET_INL_H_
#else
#define CONTRAFLOW_TILE_LOG_DET_INL_H_
#endif

#include "contraflow/kernels/tile/net-inl.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

template <class T>
HWY_INLINE Vec<T> log_abs(Vec<T> v) {
  return hn::Log(Tag<T>(), hn::Abs(v));
}

/// m [dim dim], one vector an entry: replaced by its inverse; returns log|det m|. Without pivoting:
/// m = p I + q J with |q J| < |p| has a definite symmetric part, so no pivot comes near zero.
template <class T>
HWY_NOINLINE Vec<T> invert(T* m, int64_t dim) {
  constexpr int64_t n = lanes<T>();
  const auto entry = [&](int64_t r, int64_t c) HWY_ATTR { return m + (r * dim + c) * n; };
  const Vec<T> one = set<T>(1.0);
  if (dim == 2) {
    const Vec<T> a = load(entry(0, 0)), b = load(entry(0, 1)), c = load(entry(1, 0)),
                 d = load(entry(1, 1));
    const Vec<T> det = hn::MulSub(a, d, b * c), inverse = one / det;
    store(d * inverse, entry(0, 0));
    store(hn::Neg(b * inverse), entry(0, 1));
    store(hn::Neg(c * inverse), entry(1, 0));
    store(a * inverse, entry(1, 1));
    return log_abs<T>(det);
  }
  // Gauss-Jordan in place. Pivots are multiplied two at a time before the logarithm.
  Vec<T> sum = hn::Zero(Tag<T>()), product = one;
  for (int64_t k = 0; k < dim; ++k) {
    const Vec<T> pivot = load(entry(k, k)), inverse = one / pivot;
    product = product * pivot;
    if (k % 2 == 1 || k + 1 == dim) {
      sum = sum + log_abs<T>(product);
      product = one;
    }
    for (int64_t c = 0; c < dim; ++c) {
      if (c != k) store(load(entry(k, c)) * inverse, entry(k, c));
    }
    for (int64_t r = 0; r < dim; ++r) {
      if (r == k) continue;
      const Vec<T> factor = load(entry(r, k));
      for (int64_t c = 0; c < dim; ++c) {
        if (c != k) store(hn::NegMulAdd(factor, load(entry(k, c)), load(entry(r, c))), entry(r, c));
      }
      store(hn::Neg(factor * inverse), entry(r, k));
    }
    store(inverse, entry(k, k));
  }
  return sum;
}

/// What the exact log-determinant leaves, for one vector of samples: [dim dim] vectors each.
template <class T>
struct ExactParts {
  T* weights = nullptr;  ///< d (c + d J)^-1 - b (a + b J)^-1: d log_det = tr(weights dJ)
  T* solver = nullptr;   ///< (a + b J)^-1, where b != 0
};

// out = (p + q J)^-1 for vector v; returns its log|det|.
template <class T>
HWY_INLINE Vec<T> shifted_inverse(Panel<T> jacobian, int64_t dim, int64_t vectors, int64_t v,
                                  double p, double q, T* out) {
  constexpr int64_t n = lanes<T>();
  for (int64_t r = 0; r < dim; ++r) {
    for (int64_t c = 0; c < dim; ++c) {
      const Vec<T> entry = load(jacobian.row(r) + ((c + 1) * vectors + v) * n);
      store(hn::MulAdd(set<T>(q), entry, set<T>(r == c ? p : 0.0)), out + (r * dim + c) * n);
    }
  }
  return invert(out, dim);
}

/// log|det(c + d J)| - log|det(a + b J)| of one vector of samples; J is in the tangent columns of
/// the net's output.
template <class T>
HWY_NOINLINE Vec<T> exact_log_det(const TileBlock& block, Panel<T> output, int64_t vectors,
                                  int64_t v, const ExactParts<T>& parts) {
  constexpr int64_t n = lanes<T>();
  const int64_t dim = block.net.dim, count = dim * dim * n;
  Vec<T> value = hn::Zero(Tag<T>());
  if (block.d != 0) {
    value = shifted_inverse(output, dim, vectors, v, block.c, block.d, parts.weights);
    for (int64_t k = 0; k < count; k += n)
      store(load(parts.weights + k) * set<T>(block.d), parts.weights + k);
  } else {
    value = set<T>(static_cast<double>(dim) * std::log(std::abs(block.c)));
    std::fill_n(parts.weights, count, T(0));
  }
  if (block.b == 0) {
    return value - set<T>(static_cast<double>(dim) * std::log(std::abs(block.a)));
  }
  value = value - shifted_inverse(output, dim, vectors, v, block.a, block.b, parts.solver);
  for (int64_t k = 0; k < count; k += n)
    store(hn::NegMulAdd(load(parts.solver + k), set<T>(block.b), load(parts.weights + k)),
          parts.weights + k);
  return value;
}

/// The chain (K^T)^k v, K = J - shift, of one probe and the sums it feeds. Samples are sorted by
/// their numbers of terms, the largest first: those still at work are the first vectors.
template <class T>
struct SeriesChain {
  const TileSeries& series;
  const NetView<T>& view;
  const NetTape<T>& tape;
  const VjpScratch<T>& scratch;
  Panel<T> vector;               ///< [dim, vectors] scratch
  Panel<T> image;                ///< [dim, vectors] scratch
  const T* counts;               ///< [samples] terms of each, as numbers
  const int64_t* sorted_counts;  ///< the same as integers
  int64_t samples;

  // One step of the chain for the first `vectors` vectors.
  HWY_INLINE void advance(int64_t vectors) const {
    constexpr int64_t n = lanes<T>();
    vjp(view, tape, vector, vectors, scratch, image);
    const Vec<T> shift = set<T>(series.shift);
    for (int64_t r = 0; r < view.net->dim; ++r) {
      for (int64_t c = 0; c < vectors * n; c += n) {
        const Vec<T> image_c = load(image.row(r) + c);
        store(series.shift == 0 ? image_c : hn::NegMulAdd(shift, load(vector.row(r) + c), image_c),
              vector.row(r) + c);
      }
    }
  }

  /// What one run over the probe v adds to; null where not wanted.
  struct Sums {
    T* value = nullptr;  ///< [samples]: the estimate
    Panel<T> neumann;    ///< [dim, vectors]: the gradient's vector
    Panel<T> deferred;   ///< [dim, vectors]: s with s . K v the estimate; saves its last product
    T* bias = nullptr;   ///< [samples]: the certified bound
  };
  HWY_NOINLINE void run(Panel<T> v, double weight, const Sums& sums) const {
    constexpr int64_t n = lanes<T>();
    copy_rows(v, view.net->dim, vector, tape.vectors * n);
    int64_t active = samples;
    int power = 0;
    for (size_t j = 0; j < series.terms.size(); ++j) {
      const SeriesTerm& term = series.terms[j];
      const auto number = static_cast<int64_t>(j) + 1;
      while (active > 0 && sorted_counts[active - 1] < number) --active;
      if (active == 0) break;
      const int64_t vectors = (active + n - 1) / n;
      for (; power < term.power - 1; ++power) advance(vectors);
      if (sums.neumann.data != nullptr) add(sums.neumann, vectors, number, term.neumann * weight);
      if (sums.deferred.data != nullptr) add(sums.deferred, vectors, number, term.value * weight);
      if (sums.value == nullptr) continue;
      for (; power < term.power; ++power) advance(vectors);
      add_value(v, vectors, number, term.value * weight, sums.value);
    }
    if (sums.bias != nullptr) add_bias_bound(v, weight, sums.bias);
  }

 private:
  // The factor where a sample of the vector at c takes part in the term, else zero.
  HWY_INLINE Vec<T> factor_at(int64_t c, int64_t number, double factor) const {
    const auto at_work = load(counts + c) >= set<T>(static_cast<double>(number));
    return hn::IfThenElseZero(at_work, set<T>(factor));
  }

  HWY_INLINE void add_value(Panel<T> v, int64_t vectors, int64_t number, double factor,
                            T* value) const {
    constexpr int64_t n = lanes<T>();
    for (int64_t c = 0; c < vectors * n; c += n) {
      Vec<T> dot = hn::Zero(Tag<T>());
      for (int64_t r = 0; r < view.net->dim; ++r)
        dot = hn::MulAdd(load(vector.row(r) + c), load(v.row(r) + c), dot);
      store(hn::MulAdd(dot, factor_at(c, number, factor), load(value + c)), value + c);
    }
  }

  HWY_INLINE void add(Panel<T> u, int64_t vectors, int64_t number, double factor) const {
    constexpr int64_t n = lanes<T>();
    for (int64_t c = 0; c < vectors * n; c += n) {
      const Vec<T> f = factor_at(c, number, factor);
      for (int64_t r = 0; r < view.net->dim; ++r)
        store(hn::MulAdd(f, load(vector.row(r) + c), load(u.row(r) + c)), u.row(r) + c);
    }
  }

  HWY_INLINE void add_bias_bound(Panel<T> v, double weight, T* bias) const {
    constexpr int64_t n = lanes<T>();
    for (int64_t c = 0; c < tape.vectors * n; c += n) {
      Vec<T> a = hn::Zero(Tag<T>()), b = a;
      for (int64_t r = 0; r < view.net->dim; ++r) {
        a = hn::MulAdd(load(v.row(r) + c), load(v.row(r) + c), a);
        b = hn::MulAdd(load(vector.row(r) + c), load(vector.row(r) + c), b);
      }
      store(hn::MulAdd(hn::Sqrt(a) * hn::Sqrt(b), set<T>(series.tail_factor * weight),
                       load(bias + c)),
            bias + c);
    }
  }
};

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
