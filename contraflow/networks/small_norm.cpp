#include "contraflow/networks/small_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "contraflow/networks/epsilon.h"

namespace contraflow {
namespace {

// Legend: n smaller side, m longer side; ms, ns: both padded with zeros to whole lanes.
constexpr int64_t kLanes = 8;

// Eight neighbours in four registers of the least machine; written out, because -O2 leaves small
// loops over arrays in memory.
using Pair = double __attribute__((vector_size(16)));
using LoosePair = double __attribute__((vector_size(16), aligned(8), may_alias));
struct Lanes {
  Pair a = {}, b = {}, c = {}, d = {};
};

inline Pair load_pair(const double* p) { return *reinterpret_cast<const LoosePair*>(p); }
inline void store_pair(double* p, Pair v) { *reinterpret_cast<LoosePair*>(p) = v; }

inline Lanes load_lanes(const double* p) {
  return {load_pair(p), load_pair(p + 2), load_pair(p + 4), load_pair(p + 6)};
}
inline void store_lanes(double* p, const Lanes& v) {
  store_pair(p, v.a);
  store_pair(p + 2, v.b);
  store_pair(p + 4, v.c);
  store_pair(p + 6, v.d);
}
inline void add_product(Lanes& sum, double factor, const Lanes& v) {
  const Pair f = {factor, factor};
  sum.a += f * v.a;
  sum.b += f * v.b;
  sum.c += f * v.c;
  sum.d += f * v.d;
}
inline void add_product(Lanes& sum, const Lanes& u, const Lanes& v) {
  sum.a += u.a * v.a;
  sum.b += u.b * v.b;
  sum.c += u.c * v.c;
  sum.d += u.d * v.d;
}
inline double total(const Lanes& v) {
  const Pair p = (v.a + v.b) + (v.c + v.d);
  return p[0] + p[1];
}

int64_t padded(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

// One per thread; grows to the largest matrix seen.
struct Workspace {
  std::vector<double> weight;                   // [n + 1, ms]: its small side first
  std::vector<double> gram;                     // [n, ns]
  std::vector<double> factor;                   // [n, ns]: upper triangle R of R^T R
  double x[kSmallNormSide], y[kSmallNormSide];  // [ns]
  double inverse_pivot[kSmallNormSide];
  int64_t n = 0, m = 0, ns = 0, ms = 0;
  double trace = 0;

  void resize(int64_t smaller, int64_t longer) {
    n = smaller, m = longer, ns = padded(n), ms = padded(m);
    const auto grow = [](std::vector<double>& v, int64_t size) {
      if (std::ssize(v) < size) v.resize(static_cast<size_t>(size));
    };
    grow(weight, (n + 1) * ms);
    grow(gram, n * ns);
    grow(factor, n * ns);
    std::fill_n(x, ns, 0.0);
  }
};

template <class T>
void load(Workspace& k, const T* w, int64_t rows, int64_t cols) {
  const bool is_right = cols <= rows;
  k.resize(std::min(rows, cols), std::max(rows, cols));
  const int64_t down = is_right ? 1 : cols;  // steps in w along the smaller and the longer side
  const int64_t along = is_right ? cols : 1;
  for (int64_t i = 0; i < k.n; ++i) {
    double* to = k.weight.data() + i * k.ms;
    const T* from = w + i * down;
    for (int64_t t = 0; t < k.m; ++t) to[t] = static_cast<double>(from[t * along]);
    std::fill(to + k.m, to + k.ms, 0.0);
  }
  std::fill_n(k.weight.data() + k.n * k.ms, k.ms,
              0.0);  // the partner of the last row when n is odd
}

// Far from the ends of the range nothing needs scaling. False for zero and non-finite weights too.
bool in_range(const Workspace& k) { return k.trace > 1e-200 && k.trace < 1e200; }

// Two rows at a time, so that each load serves two products.
void form_gram(Workspace& k) {
  double* g = k.gram.data();
  for (int64_t i = 0; i < k.n; i += 2) {
    const double* u = k.weight.data() + i * k.ms;
    for (int64_t j = 0; j <= std::min(i + 1, k.n - 1); ++j) {
      const double* v = k.weight.data() + j * k.ms;
      Lanes first, second;
      for (int64_t t = 0; t < k.ms; t += kLanes) {
        const Lanes shared = load_lanes(v + t);
        add_product(first, load_lanes(u + t), shared);
        add_product(second, load_lanes(u + k.ms + t), shared);
      }
      g[i * k.ns + j] = g[j * k.ns + i] = total(first);
      if (i + 1 < k.n) g[(i + 1) * k.ns + j] = g[j * k.ns + i + 1] = total(second);
    }
    std::fill(g + i * k.ns + k.n, g + (i + 1) * k.ns, 0.0);
    if (i + 1 < k.n) std::fill(g + (i + 1) * k.ns + k.n, g + (i + 2) * k.ns, 0.0);
  }
  k.trace = 0;
  for (int64_t i = 0; i < k.n; ++i) k.trace += g[i * k.ns + i];
}

// As in scaled_gram.cpp, whose comment derives it; pivots are inverted once and multiplied with,
// which adds one rounding per entry and stays within its factor of four.
double rounding_shift(const Workspace& k, double c) {
  const auto n = static_cast<double>(k.n);
  return 4 * kEpsilon * (static_cast<double>(k.m) + n + 2) * (n * c + k.trace);
}

// R^T R = (c - shift) I - G; false when a pivot is not positive.
bool factorise(Workspace& k, double c) {
  const double diagonal = c - rounding_shift(k, c);
  double* factor = k.factor.data();
  for (int64_t r = 0; r < k.n; ++r) {
    double* row = factor + r * k.ns;
    const double* g = k.gram.data() + r * k.ns;
    for (int64_t j = r / kLanes * kLanes; j < k.ns; j += kLanes) {
      Lanes sum = load_lanes(g + j);
      for (int64_t i = 0; i < r; ++i) {
        add_product(sum, factor[i * k.ns + r], load_lanes(factor + i * k.ns + j));
      }
      store_lanes(row + j, {-sum.a, -sum.b, -sum.c, -sum.d});
    }
    const double pivot = diagonal + row[r];
    if (!(pivot > 0)) return false;
    k.inverse_pivot[r] = 1 / std::sqrt(pivot);
    const Pair inverse = {k.inverse_pivot[r], k.inverse_pivot[r]};
    for (int64_t j = r / kLanes * kLanes; j < k.ns; j += 2) {
      store_pair(row + j, inverse * load_pair(row + j));
    }
  }
  return true;
}

struct Quotient {
  double value;     // x^T G x
  double residual;  // ||G x - value x||: some eigenvalue is that near
};

// y = G x for a unit x.
Quotient multiply(Workspace& k) {
  Lanes values;
  for (int64_t i = 0; i < k.ns; i += kLanes) {
    Lanes sum;
    const double* column = k.gram.data() + i;
    for (int64_t j = 0; j < k.n; ++j) add_product(sum, k.x[j], load_lanes(column + j * k.ns));
    store_lanes(k.y + i, sum);
    add_product(values, sum, load_lanes(k.x + i));
  }
  const double value = total(values);
  Lanes squares;
  for (int64_t i = 0; i < k.ns; i += kLanes) {
    Lanes rest = load_lanes(k.y + i);
    add_product(rest, -value, load_lanes(k.x + i));
    add_product(squares, rest, rest);
  }
  return {value, std::sqrt(total(squares))};
}

// x = v / |v|; false for a zero or overflowing v.
bool set_unit(Workspace& k, const double* v) {
  double squares = 0;
  for (int64_t i = 0; i < k.n; ++i) squares += v[i] * v[i];
  if (!(squares > 0) || !std::isfinite(squares)) return false;
  const double inverse = 1 / std::sqrt(squares);
  for (int64_t i = 0; i < k.n; ++i) k.x[i] = v[i] * inverse;
  return true;
}

bool power_iteration(Workspace& k, double tolerance, int steps, Quotient& top) {
  for (int step = 0; step < steps; ++step) {
    top = multiply(k);
    if (!set_unit(k, k.y)) return false;
    if (top.residual <= tolerance * top.value) return true;
  }
  return false;
}

// y = (R^T R)^-1 x
void solve(Workspace& k) {
  std::copy_n(k.x, k.n, k.y);
  for (int64_t i = 0; i < k.n; ++i) {
    const double* row = k.factor.data() + i * k.ns;
    k.y[i] *= k.inverse_pivot[i];
    for (int64_t j = i + 1; j < k.n; ++j) k.y[j] -= k.y[i] * row[j];
  }
  for (int64_t i = k.n - 1; i >= 0; --i) {
    const double* row = k.factor.data() + i * k.ns;
    double sum = k.y[i];
    for (int64_t j = i + 1; j < k.n; ++j) sum -= row[j] * k.y[j];
    k.y[i] = sum * k.inverse_pivot[i];
  }
}

// c I - G with c above the spectrum, but not by much more than `top` asks for.
bool factorise_above(Workspace& k, double tolerance, const Quotient& top) {
  constexpr int kRaises = 8;
  double above = top.residual + tolerance * top.value;
  for (int raise = 0; raise < kRaises; ++raise, above *= 3) {
    if (factorise(k, top.value + above)) return true;
  }
  return false;
}

// Steps with (c I - G)^-1, c just above the top of the spectrum: each damps an eigenvalue l by
// (c - l_top) / (c - l), where a power step has l / l_top only. For spectra that training under a
// cap has flattened. Each round brings c down with the residual.
bool inverse_iteration(Workspace& k, double tolerance, Quotient& top) {
  constexpr int kRounds = 6, kSteps = 3;
  for (int round = 0; round < kRounds; ++round) {
    if (!factorise_above(k, tolerance, top)) return false;
    for (int step = 0; step < kSteps; ++step) {
      solve(k);
      if (!set_unit(k, k.y)) return false;
      top = multiply(k);
      if (top.residual <= tolerance * top.value) return true;
    }
  }
  return false;
}

// The vector of the longer side: x^T W with the small side first, normalised.
void write_pair(const Workspace& k, double* shorter, double* longer) {
  Lanes squares;
  for (int64_t t = 0; t < k.ms; t += kLanes) {
    Lanes sum;
    for (int64_t i = 0; i < k.n; ++i) {
      add_product(sum, k.x[i], load_lanes(k.weight.data() + i * k.ms + t));
    }
    add_product(squares, sum, sum);
    double last[kLanes];
    store_lanes(last, sum);
    std::copy_n(last, std::min(kLanes, k.m - t), longer + t);
  }
  const double square = total(squares);
  const double inverse = square > 0 ? 1 / std::sqrt(square) : 0;
  for (int64_t t = 0; t < k.m; ++t) longer[t] *= inverse;
  std::copy_n(k.x, k.n, shorter);
}

// The square of the proven norm, or nothing.
std::optional<double> prove(Workspace& k, double tolerance, Quotient& top) {
  const double raise = std::max(tolerance, 1e-9);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const double candidate = top.value * (1 + raise) * (1 + raise);
    if (factorise(k, candidate)) return candidate;
    // The iteration sat on a lower eigenvalue, or the spectrum is clustered.
    if (attempt > 0 || !inverse_iteration(k, tolerance, top)) break;
  }
  return std::nullopt;
}

}  // namespace

template <class T>
std::optional<NormInterval> small_norm_bounds(const T* weight, int64_t rows, int64_t cols,
                                              double* left, double* right, NormMethod method,
                                              double relative_tolerance) {
  constexpr int kPowerSteps = 8;
  if (method == NormMethod::kGram || std::min(rows, cols) > kSmallNormSide) return std::nullopt;
  static thread_local Workspace k;
  load(k, weight, rows, cols);
  double* shorter = cols <= rows ? right : left;
  if (!set_unit(k, shorter)) return std::nullopt;
  form_gram(k);
  if (!in_range(k)) return std::nullopt;
  Quotient top{0, 0};
  const bool found = power_iteration(k, relative_tolerance, kPowerSteps, top) ||
                     inverse_iteration(k, relative_tolerance, top);
  if (!found) return std::nullopt;
  double upper = top.value;
  if (method == NormMethod::kCholesky) {
    const auto proven = prove(k, relative_tolerance, top);
    if (!proven) return std::nullopt;
    upper = *proven;
  }
  write_pair(k, shorter, cols <= rows ? left : right);
  // As in scaled_gram.cpp.
  const double slack = 4 * kEpsilon * static_cast<double>(k.m + k.n) * k.trace;
  const double lower = std::sqrt(std::max(0.0, top.value - slack));
  if (method == NormMethod::kEstimated) return NormInterval{lower, lower};
  return NormInterval{lower, std::sqrt(upper) * (1 + 4 * kEpsilon)};
}

template std::optional<NormInterval> small_norm_bounds(const float*, int64_t, int64_t, double*,
                                                       double*, NormMethod, double);
template std::optional<NormInterval> small_norm_bounds(const double*, int64_t, int64_t, double*,
                                                       double*, NormMethod, double);

}  // namespace contraflow
