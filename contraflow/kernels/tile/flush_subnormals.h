#pragma once

#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace contraflow::kernels {

/// While it lives, numbers of this thread below the smallest normal one are zero. The vectors of a
/// long power series fall below it, where x86 processors take a hundred times as long. Elsewhere it
/// does nothing.
class ScopedFlushSubnormals {
 public:
#ifdef __SSE2__
  ScopedFlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kAreZero); }
  ~ScopedFlushSubnormals() { _mm_setcsr(before_); }
#else
  ScopedFlushSubnormals() = default;
#endif
  ScopedFlushSubnormals(const ScopedFlushSubnormals&) = delete;
  ScopedFlushSubnormals& operator=(const ScopedFlushSubnormals&) = delete;

#ifdef __SSE2__
 private:
  static constexpr unsigned kFlushToZero = 0x8000;  // results
  static constexpr unsigned kAreZero = 0x0040;      // operands
  unsigned before_;
#endif
};

}  // namespace contraflow::kernels
