#pragma once

#include <cstdint>

// The same code compiles for the device and, for its tests, for the host.
#if defined(__CUDACC__)
#define CF_HD __host__ __device__
#else
#define CF_HD
#endif

namespace contraflow::kernels::cuda {

/// A TileProgram (kernels/tile_program.h) as flat arrays of plain numbers, which a device can read.
/// Fields without a comment mean what they mean there. Offsets count elements.

/// The elementwise activations, in the order of contraflow::Activation; flatten.cpp checks it.
enum class Kind : int32_t {
  kElu,
  kTanh,
  kSoftplus,
  kSin,
  kSwish,
  kLipSwish,
  kPila,
  kCRelu,
  kClipSwish,
  kCPila,
};

/// activation_traits().expansion == 2; flatten.cpp checks it.
CF_HD constexpr bool is_paired(Kind kind) {
  return kind == Kind::kCRelu || kind == Kind::kClipSwish || kind == Kind::kCPila;
}

/// Elementwise activation of a strided batch, all in one pass: element (r, f) of z at
/// z[r z_stride + f]; of an output at out[r out_stride + f], a second jet at + features.
template <class T>
struct JetCall {
  Kind kind = Kind::kTanh;
  const T* beta = nullptr;  ///< one number; null: 1
  int64_t rows = 0;
  int64_t features = 0;
  int64_t z_stride = 0;
  int64_t out_stride = 0;
  const T* z = nullptr;
  T* value = nullptr;      ///< null where not wanted
  T* slope = nullptr;      ///< the same
  T* curvature = nullptr;  ///< the same
};

struct FlatLayer {
  const void* weight = nullptr;
  const void* bias = nullptr;
  double scale = 1.0;
  double beta = 1.0;
  int32_t multipliers = -1;  ///< begin in the program's numbers; -1: all 1
  int32_t in_begin = 0;
  int32_t inputs = 0;
  int32_t outputs = 0;
  int32_t out_begin = 0;
  int32_t z_begin = 0;
  int32_t slope_begin = 0;
  Kind kind = Kind::kTanh;
  bool activated = true;
  bool shares_input = false;
  /// Begin of its packed weight [inputs, pitch] (scale and multipliers included) and, after it,
  /// bias [outputs], in its step's piece of the packed weights.
  int32_t packed = 0;
  /// outputs, made odd: lanes that read down a column meet every bank of the shared memory.
  int32_t pitch = 0;

  CF_HD int32_t bias_begin() const { return packed + inputs * pitch; }
};

struct FlatTerm {
  int32_t power = 1;
  double value = 0.0;
};

/// A block, or an affine step (layer_count = 0).
struct FlatStep {
  int32_t layer_begin = 0;
  int32_t layer_count = 0;
  int32_t features = 0;
  int32_t z_rows = 0;
  int32_t tangents = 0;  ///< unit vectors or probes
  bool exact = true;
  double a = 1, b = 0, c = 1, d = 1;
  double kappa = 0;
  double tolerance = 0;
  double lipschitz = 1;
  int32_t memory = 0;  ///< at most kMostMemory and dim
  int64_t max_iterations = 0;
  // Series.
  int32_t term_begin = 0;
  int32_t term_count = 0;
  const int64_t* counts = nullptr;
  const void* probes = nullptr;
  double shift = 0;
  double constant = 0;  ///< for an affine step its log_det
  double tail_factor = 0;
  // Weights.
  int64_t packed_begin = 0;
  int32_t packed_size = 0;
  // Affine.
  int32_t numbers = 0;  ///< begin of scale [dim], then shift [dim]

  CF_HD bool is_block() const { return layer_count > 0; }
  CF_HD bool solves() const { return b != 0; }
  CF_HD double determinant() const { return a * d - b * c; }
};

/// The most that any step needs; fixes the memory of one sample.
struct FlatShape {
  int32_t dim = 0;
  int32_t features = 0;
  int32_t z_rows = 0;
  int32_t slope_rows = 0;
  int32_t outputs = 0;
  int32_t tangents = 0;
  int32_t memory = 0;
  bool exact = false;
  int32_t packed = 0;  ///< elements of a step's weights
};

constexpr int32_t kMostThreads = 128;  ///< of a thread block

/// How a run is cut into thread blocks. Depends on the program, the batch and the type only: the
/// same numbers on every card.
struct Layout {
  int32_t samples = 1;  ///< of a thread block at a time
  int32_t lanes = 1;    ///< threads of a sample; divides 32 on a device
  int32_t stride = 1;   ///< from a row of a sample's memory to the next; odd
  int64_t blocks = 1;
  bool shared_weights = false;
  bool shared_scratch = false;

  CF_HD int32_t threads() const { return samples * lanes; }
};

/// The worst of a run; both start at their initial value.
struct RunStatus {
  static constexpr uint64_t kNone = ~uint64_t{0};
  /// 2 row + 1 if it diverged, of the first row whose solve failed.
  unsigned long long first_failure = kNone;
  unsigned long long iterations = 0;
};

/// One run over raw memory, all pointers on the device. The fields up to `bias_bound` are those of
/// TileCall (kernels/tile/call.h).
template <class T>
struct Run {
  int64_t batch = 0;
  const T* x = nullptr;
  T* y = nullptr;
  T* log_det = nullptr;
  T* solve_error = nullptr;
  T* bias_bound = nullptr;

  FlatShape shape;
  Layout layout;
  const FlatStep* steps = nullptr;
  int32_t step_count = 0;
  const FlatLayer* layers = nullptr;
  const FlatTerm* terms = nullptr;
  const double* numbers = nullptr;
  T* packed = nullptr;         ///< every step's weights, one after another
  T* scratch = nullptr;        ///< [blocks, rows, stride] where the scratch is not shared
  T* failure_bound = nullptr;  ///< [batch], written for rows whose solve failed
  RunStatus* status = nullptr;
};

}  // namespace contraflow::kernels::cuda
