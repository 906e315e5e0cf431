#pragma once

#include <vector>

#include "contraflow/kernels/tile_program.h"

namespace contraflow::kernels {

/// A float64 program with its weights and biases rounded to float32, for values alone: its series
/// have no probes. Solves accept what float32 resolves.
class Float32Program {
 public:
  Float32Program(const TileProgram& program, int64_t batch);
  Float32Program(const Float32Program&) = delete;
  Float32Program& operator=(const Float32Program&) = delete;

  const TileProgram& get() const { return program_; }

 private:
  const void* rounded(const void* values, int64_t count);

  TileProgram program_;
  std::vector<std::vector<float>> kept_;
};

}  // namespace contraflow::kernels
