#include "contraflow/core/rng.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "contraflow/core/parallel.h"
#include "contraflow/core/rng_tensors.h"

namespace contraflow {
namespace {

using Words = std::array<uint32_t, 4>;

Words philox(Words counter, uint64_t key) {
  auto k0 = static_cast<uint32_t>(key);
  auto k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ k0, static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9;  // the golden ratio and sqrt(3) - 1, as in the paper
    k1 += 0xBB67AE85;
  }
  return counter;
}

double to_unit(uint32_t high, uint32_t low) {
  const uint64_t bits = (uint64_t{high} << 21) ^ (uint64_t{low} >> 11);  // 53 bits
  return (static_cast<double>(bits & ((uint64_t{1} << 53) - 1)) + 0.5) * 0x1p-53;
}

// Fills a [rows, columns] double buffer; `draw` maps four words to two numbers.
template <class Draw>
at::Tensor fill(const Rng& rng, at::IntArrayRef sizes, const at::TensorOptions& options,
                Draw draw) {
  at::Tensor out = at::empty(sizes, at::TensorOptions().dtype(at::kDouble));
  const int64_t rows = sizes.empty() ? 1 : sizes[0];
  const int64_t columns = rows == 0 ? 0 : out.numel() / rows;
  double* data = out.data_ptr<double>();
  parallel_for(0, rows, 1 + 4096 / (columns + 1), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      double* row = data + r * columns;
      for (int64_t c = 0; c < columns; c += 2) {
        const auto pair = draw(rng.words(rng.first_row() + r, static_cast<uint64_t>(c / 2)));
        row[c] = pair[0];
        if (c + 1 < columns) row[c + 1] = pair[1];
      }
    }
  });
  return out.to(options);
}

// Column c takes bit c % 32 of word c / 32 % 4 of block c / 128.
template <class T>
void fill_signs(const Rng& rng, const at::Tensor& out) {
  constexpr int64_t kBits = 32, kBlock = 128;
  const int64_t rows = out.dim() == 0 ? 1 : out.size(0);
  const int64_t columns = rows == 0 ? 0 : out.numel() / rows;
  T* data = out.data_ptr<T>();
  parallel_for(0, rows, 1 + 65536 / (columns + 1), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      T* row = data + r * columns;
      Words words = {};
      for (int64_t c = 0; c < columns; c += kBits) {
        if (c % kBlock == 0) {
          words = rng.words(rng.first_row() + r, static_cast<uint64_t>(c / kBlock));
        }
        const uint32_t bits = words[static_cast<size_t>(c % kBlock / kBits)];
        const int64_t count = std::min(kBits, columns - c);
        for (int64_t k = 0; k < count; ++k) row[c + k] = static_cast<T>((bits >> k & 1U) * 2) - 1;
      }
    }
  });
}

std::array<double, 2> uniform_pair(const Words& w) {
  return {to_unit(w[0], w[1]), to_unit(w[2], w[3])};
}

std::array<double, 2> normal_pair(const Words& w) {  // Box-Muller
  const auto [u, v] = uniform_pair(w);
  const double radius = std::sqrt(-2.0 * std::log(u));
  const double angle = 2.0 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace

Rng Rng::fork(uint64_t tag) const {
  // Counters of draws have first word < 2^31 in the third place; this one is set apart by all ones.
  const Words w =
      philox({static_cast<uint32_t>(tag), static_cast<uint32_t>(tag >> 32), ~0U, ~0U}, key_);
  Rng child((uint64_t{w[1]} << 32) | w[0]);
  child.first_row_ = first_row_;
  return child;
}

Rng Rng::fork(std::string_view tag) const {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : tag) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fork(hash);
}

Rng Rng::rows_from(int64_t row) const {
  Rng out = *this;
  out.first_row_ = row;
  return out;
}

std::array<uint32_t, 4> Rng::words(int64_t row, uint64_t block) const {
  const auto r = static_cast<uint64_t>(row);
  return philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                 static_cast<uint32_t>(r), static_cast<uint32_t>(r >> 32)},
                key_);
}

double Rng::uniform_at(int64_t row, int64_t column) const {
  return uniform_pair(words(row, static_cast<uint64_t>(column / 2)))[column % 2];
}

at::Tensor Rng::uniform(at::IntArrayRef sizes, const at::TensorOptions& options) const {
  at::Tensor out = options.device().is_cpu() ? fill(*this, sizes, options, uniform_pair)
                                             : uniform_on_tensors(*this, sizes, options);
  if (out.scalar_type() == at::kFloat) out.clamp_(0x1p-30, 1.0 - 0x1p-24);  // rounding may reach 1
  return out;
}

at::Tensor Rng::normal(at::IntArrayRef sizes, const at::TensorOptions& options) const {
  if (!options.device().is_cpu()) return normal_on_tensors(*this, sizes, options);
  return fill(*this, sizes, options, normal_pair);
}

at::Tensor Rng::rademacher(at::IntArrayRef sizes, const at::TensorOptions& options) const {
  if (!options.device().is_cpu()) return rademacher_on_tensors(*this, sizes, options);
  const bool direct = c10::typeMetaToScalarType(options.dtype()) == at::kDouble;
  at::Tensor out = at::empty(sizes, at::TensorOptions().dtype(direct ? at::kDouble : at::kFloat));
  if (direct) {
    fill_signs<double>(*this, out);
  } else {
    fill_signs<float>(*this, out);
  }
  return out.to(options);
}

at::Tensor Rng::permutation(int64_t count) const {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = count - 1; i > 0; --i) {  // Fisher-Yates
    const auto j = static_cast<int64_t>(uniform_at(i, 0) * static_cast<double>(i + 1));
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(j)]);
  }
  return at::tensor(order, at::kLong);
}

}  // namespace contraflow
