#include "contraflow/training/flat_loops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "contraflow/core/parallel.h"

namespace contraflow {
namespace {

constexpr int64_t kChunk = 4096;
// Fewer elements than 24 thousand are done sooner than a second thread has begun.
constexpr int64_t kChunksPerThread = 6;
constexpr int64_t kLanes = 16;

int64_t chunks_of(int64_t count) { return (count + kChunk - 1) / kChunk; }

// part(begin, end, chunk) for each chunk.
template <class Part>
void for_chunks(int64_t count, Part part) {
  parallel_for(0, chunks_of(count), kChunksPerThread, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) part(c * kChunk, std::min(count, (c + 1) * kChunk), c);
  });
}

template <class T>
double chunk_squares(const T* x, int64_t count, double factor) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) {
      const double v = factor * static_cast<double>(x[i + l]);
      lanes[l] += v * v;
    }
  }
  for (; i < count; ++i) {
    const double v = factor * static_cast<double>(x[i]);
    lanes[i % kLanes] += v * v;
  }
  double total = 0;
  for (const double lane : lanes) total += lane;
  return total;
}

// kL2 is apart so that the usual loop does not add zero times the parameter.
template <bool kL2, class T>
void adam_chunk(T* __restrict value, const T* __restrict gradient, T* __restrict first,
                T* __restrict second, int64_t count, const AdamCoefficients& c) {
  const auto first_weight = static_cast<T>(c.first_weight);
  const auto second_decay = static_cast<T>(c.second_decay);
  const auto second_weight = static_cast<T>(c.second_weight);
  const auto rate = static_cast<T>(c.rate);
  const auto root_scale = static_cast<T>(c.root_scale);
  const auto epsilon = static_cast<T>(c.epsilon);
  const auto shrink = static_cast<T>(c.shrink);
  const auto l2_decay = static_cast<T>(c.l2_decay);
  for (int64_t i = 0; i < count; ++i) {
    const T g = kL2 ? gradient[i] + l2_decay * value[i] : gradient[i];
    const T m = first[i] + first_weight * (g - first[i]);
    const T v = second_decay * second[i] + second_weight * g * g;
    first[i] = m;
    second[i] = v;
    value[i] = shrink * value[i] - rate * m / (std::sqrt(v) * root_scale + epsilon);
  }
}

}  // namespace

template <class T>
void adam_update(T* value, const T* gradient, T* first, T* second, int64_t count,
                 const AdamCoefficients& coefficients) {
  for_chunks(count, [&](int64_t begin, int64_t end, int64_t /*chunk*/) {
    const auto run = coefficients.l2_decay != 0 ? adam_chunk<true, T> : adam_chunk<false, T>;
    run(value + begin, gradient + begin, first + begin, second + begin, end - begin, coefficients);
  });
}

template <class T>
double sum_of_squares(const T* x, int64_t count, double factor) {
  if (count <= kChunk) return chunk_squares(x, count, factor);
  std::vector<double> sums(static_cast<size_t>(chunks_of(count)));
  for_chunks(count, [&](int64_t begin, int64_t end, int64_t chunk) {
    sums[static_cast<size_t>(chunk)] = chunk_squares(x + begin, end - begin, factor);
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

template <class T>
double largest_magnitude(const T* x, int64_t count) {
  double largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double a = std::abs(static_cast<double>(x[i]));
    if (!std::isfinite(a)) return a;
    largest = std::max(largest, a);
  }
  return largest;
}

template void adam_update(float*, const float*, float*, float*, int64_t, const AdamCoefficients&);
template void adam_update(double*, const double*, double*, double*, int64_t,
                          const AdamCoefficients&);
template double sum_of_squares(const float*, int64_t, double);
template double sum_of_squares(const double*, int64_t, double);
template double largest_magnitude(const float*, int64_t);
template double largest_magnitude(const double*, int64_t);

}  // namespace contraflow
