#pragma once

#include <cstddef>
#include <cstdint>

namespace contraflow::kernels {

/// Hands out aligned pieces of one buffer. Without a buffer it only counts what would be taken: the
/// same code measures and allocates.
class Arena {
 public:
  static constexpr int64_t kAlignment = 128;  // of vectors, and a cache line pair

  explicit Arena(std::byte* base = nullptr) : base_(base) {}

  template <class T>
  T* take(int64_t count) {
    const int64_t begin = used_;
    used_ += (count * static_cast<int64_t>(sizeof(T)) + kAlignment - 1) / kAlignment * kAlignment;
    return base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + begin);
  }
  int64_t used() const { return used_; }

 private:
  std::byte* base_;
  int64_t used_ = 0;
};

}  // namespace contraflow::kernels
