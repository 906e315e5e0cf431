#include "contraflow/core/rng_tensors.h"

#include <ATen/ATen.h>

#include <numbers>

namespace contraflow {
namespace {

constexpr int64_t kWordMask = 0xFFFFFFFF;

at::Tensor low_word(const at::Tensor& t) { return t.bitwise_and(kWordMask); }
// Of a product of two words: an int64 that may have wrapped holds all its bits.
at::Tensor high_word(const at::Tensor& t) { return low_word(t.bitwise_right_shift(32)); }

// [rows, columns] as Rng counts them: everything after the first axis is columns.
struct RowShape {
  int64_t rows, columns;
  explicit RowShape(at::IntArrayRef sizes)
      : rows(sizes.empty() ? 1 : sizes[0]),
        columns(rows == 0 ? 0 : c10::multiply_integers(sizes) / rows) {}
};

// The words at (.., high) and (.., low) as numbers in (0, 1), 53 bits.
at::Tensor unit(const at::Tensor& words, int64_t high, int64_t low) {
  constexpr int64_t kBits = (int64_t{1} << 53) - 1;
  const at::Tensor bits = words.select(-1, high).bitwise_left_shift(21).bitwise_xor(
      words.select(-1, low).bitwise_right_shift(11));
  return (bits.bitwise_and(kBits).to(at::kDouble) + 0.5) * 0x1p-53;
}

// Two numbers of each block, in columns 2 block and 2 block + 1.
at::Tensor interleave(const at::Tensor& first, const at::Tensor& second, at::IntArrayRef sizes,
                      const at::TensorOptions& options) {
  const RowShape shape(sizes);
  return at::stack({first, second}, -1)
      .flatten(1)
      .narrow(1, 0, shape.columns)
      .reshape(sizes)
      .to(options);
}

at::Tensor pair_words(const Rng& rng, at::IntArrayRef sizes, const at::TensorOptions& options) {
  const RowShape shape(sizes);
  return words_on_tensors(rng, shape.rows, (shape.columns + 1) / 2, options.device());
}

}  // namespace

at::Tensor words_on_tensors(const Rng& rng, int64_t rows, int64_t blocks, at::Device device) {
  const auto whole = at::TensorOptions().dtype(at::kLong).device(device);
  const at::Tensor block = at::arange(blocks, whole).unsqueeze(0);
  const at::Tensor row = at::arange(rng.first_row(), rng.first_row() + rows, whole).unsqueeze(1);
  std::array<at::Tensor, 4> counter{low_word(block), high_word(block), low_word(row),
                                    high_word(row)};
  auto k0 = static_cast<uint32_t>(rng.key());
  auto k1 = static_cast<uint32_t>(rng.key() >> 32);
  for (int round = 0; round < 10; ++round) {  // as in rng.cpp
    const at::Tensor p0 = counter[0] * int64_t{0xD2511F53}, p1 = counter[2] * int64_t{0xCD9E8D57};
    counter = {high_word(p1).bitwise_xor(counter[1]).bitwise_xor(int64_t{k0}), low_word(p1),
               high_word(p0).bitwise_xor(counter[3]).bitwise_xor(int64_t{k1}), low_word(p0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  std::vector<at::Tensor> words;
  for (const at::Tensor& word : counter) words.push_back(word.expand({rows, blocks}));
  return at::stack(words, -1);
}

at::Tensor uniform_on_tensors(const Rng& rng, at::IntArrayRef sizes,
                              const at::TensorOptions& options) {
  const at::Tensor words = pair_words(rng, sizes, options);
  return interleave(unit(words, 0, 1), unit(words, 2, 3), sizes, options);
}

at::Tensor normal_on_tensors(const Rng& rng, at::IntArrayRef sizes,
                             const at::TensorOptions& options) {
  const at::Tensor words = pair_words(rng, sizes, options);
  const at::Tensor radius = (unit(words, 0, 1).log() * -2.0).sqrt();  // Box-Muller
  const at::Tensor angle = unit(words, 2, 3) * (2.0 * std::numbers::pi);
  return interleave(radius * angle.cos(), radius * angle.sin(), sizes, options);
}

at::Tensor rademacher_on_tensors(const Rng& rng, at::IntArrayRef sizes,
                                 const at::TensorOptions& options) {
  constexpr int64_t kBits = 32, kBlock = 128;
  const RowShape shape(sizes);
  const at::Tensor words =
      words_on_tensors(rng, shape.rows, (shape.columns + kBlock - 1) / kBlock, options.device());
  const at::Tensor places = at::arange(kBits, words.options());
  const at::Tensor bits = words.unsqueeze(-1).bitwise_right_shift(places).bitwise_and(1);
  return (bits.flatten(1).narrow(1, 0, shape.columns) * 2 - 1).reshape(sizes).to(options);
}

}  // namespace contraflow
