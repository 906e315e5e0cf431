#include "contraflow/data/row_hash.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

namespace contraflow::data {
namespace {

// The finalizer of SplitMix64: every bit of the input moves half of those of the output. Source:
// Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", section 4.
uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

constexpr uint64_t kStep = 0x9E3779B97F4A7C15U;

static_assert(std::endian::native == std::endian::little, "words of bytes below assume it");

}  // namespace

std::vector<uint64_t> hash_rows(const at::Tensor& rows, uint64_t seed) {
  const at::Tensor plain = rows.to(at::kDouble).contiguous();
  const double* value = plain.const_data_ptr<double>();
  std::vector<uint64_t> out(static_cast<size_t>(plain.size(0)));
  for (uint64_t& hash : out) {
    hash = mixed(seed + kStep);
    for (int64_t c = 0; c < plain.size(1); ++c) {
      hash = mixed(hash + kStep + std::bit_cast<uint64_t>(*value++ + 0.0));  // -0 + 0 is 0
    }
  }
  return out;
}

std::vector<uint64_t> hash_byte_rows(const at::Tensor& rows, uint64_t seed) {
  const at::Tensor plain = rows.contiguous();
  const uint8_t* byte = plain.const_data_ptr<uint8_t>();
  std::vector<uint64_t> out(static_cast<size_t>(plain.size(0)));
  const auto size = out.empty() ? 0 : static_cast<size_t>(plain.numel()) / out.size();
  for (uint64_t& hash : out) {
    hash = mixed(seed + kStep);
    for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
      uint64_t word = 0;
      std::memcpy(&word, byte + done, std::min(sizeof word, size - done));
      hash = mixed(hash + kStep + word);
    }
    byte += size;
  }
  return out;
}

void mix_in(std::vector<uint64_t>& hashes, const at::Tensor& values) {
  const int64_t* value = values.const_data_ptr<int64_t>();
  for (uint64_t& hash : hashes) hash = mixed(hash + kStep + static_cast<uint64_t>(*value++));
}

void tell_copies_apart(std::vector<uint64_t>& hashes) {
  std::unordered_map<uint64_t, uint64_t> seen;
  seen.reserve(hashes.size());
  for (uint64_t& hash : hashes) {
    const uint64_t copy = seen[hash]++;
    if (copy > 0) hash = mixed(hash + copy * kStep);
  }
}

}  // namespace contraflow::data
