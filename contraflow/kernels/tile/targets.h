#pragma once

// Instruction sets that the tile kernels are compiled for: scalar, AVX2 and AVX-512 on x86-64; what
// Highway has elsewhere (NEON, SVE). SSE and the finer AVX-512 levels gain nothing here and double
// the compile time.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
