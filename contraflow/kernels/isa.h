#pragma once

#include <string>
#include <vector>

#include "contraflow/core/export.h"

namespace contraflow::kernels {

/// Instruction sets that this machine can run the tile kernels with, best first: "avx512", "avx2",
/// "scalar", "neon", ... as far as the library was built for them.
CF_EXPORT std::vector<std::string> available_isas();
/// The one in use. The environment variable CONTRAFLOW_ISA pins it; an unknown name, or one that
/// the machine cannot run, throws ConfigError at the first use. "composed" turns the tile kernels
/// off: everything then runs as LibTorch operations, the kernels' definition.
CF_EXPORT std::string current_isa();
/// Whether the tile kernels are in use.
CF_EXPORT bool tiles_enabled();

/// Pins the instruction set while it lives; for tests and benchmarks. Not while a kernel runs.
class CF_EXPORT ScopedIsa {
 public:
  explicit ScopedIsa(const std::string& name);
  ~ScopedIsa();
  ScopedIsa(const ScopedIsa&) = delete;
  ScopedIsa& operator=(const ScopedIsa&) = delete;

 private:
  std::string before_;
};

}  // namespace contraflow::kernels
