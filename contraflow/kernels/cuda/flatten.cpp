#include "contraflow/kernels/cuda/flatten.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "contraflow/core/assert.h"
#include "contraflow/core/error.h"
#include "contraflow/kernels/cuda/sample.cuh"
#include "contraflow/kernels/cuda/solve.cuh"

namespace contraflow::kernels::cuda {
namespace {

// The device code cannot see the enumeration of activations.h, which needs LibTorch's headers.
constexpr bool same(Kind kind, Activation activation) {
  return static_cast<int>(kind) == static_cast<int>(activation) &&
         is_paired(kind) == (expansion(activation) == 2);
}
static_assert(same(Kind::kElu, Activation::kElu) && same(Kind::kTanh, Activation::kTanh) &&
              same(Kind::kSoftplus, Activation::kSoftplus) && same(Kind::kSin, Activation::kSin) &&
              same(Kind::kSwish, Activation::kSwish) &&
              same(Kind::kLipSwish, Activation::kLipSwish) &&
              same(Kind::kPila, Activation::kPila) && same(Kind::kCRelu, Activation::kCRelu) &&
              same(Kind::kClipSwish, Activation::kClipSwish) &&
              same(Kind::kCPila, Activation::kCPila));

constexpr int64_t kSharedBytes = int64_t{96} << 10;  // every card since sm_80 has it, twice over
constexpr int64_t kWeightBytes = kSharedBytes * 2 / 3;

int32_t narrow(int64_t value) {
  if (value < 0 || value > std::numeric_limits<int32_t>::max()) {
    fail<ConfigError>("kernels.cuda.flatten", "program", "sizes below 2^31", std::to_string(value),
                      "Use smaller layers, or run on the CPU.");
  }
  return static_cast<int32_t>(value);
}

class Flattener {
 public:
  explicit Flattener(const TileProgram& program) : program_(program) {
    out_.shape.dim = narrow(program.dim);
  }

  FlatProgram run() {
    for (const TileStep& step : program_.steps) {
      const auto* block = std::get_if<TileBlock>(&step);
      FlatStep flat =
          block != nullptr ? flatten_block(*block) : flatten_affine(std::get<TileAffine>(step));
      out_.packed_size += flat.packed_size;
      out_.shape.packed = std::max(out_.shape.packed, flat.packed_size);
      out_.steps.push_back(flat);
    }
    return std::move(out_);
  }

 private:
  int32_t append_numbers(const std::vector<double>& values) {
    const int32_t begin = narrow(static_cast<int64_t>(out_.numbers.size()));
    out_.numbers.insert(out_.numbers.end(), values.begin(), values.end());
    return begin;
  }

  FlatStep flatten_affine(const TileAffine& affine) {
    FlatStep flat;
    flat.numbers = append_numbers(affine.scale);
    append_numbers(affine.shift);
    flat.constant = affine.log_det;
    flat.lipschitz = affine.lipschitz;
    flat.packed_begin = out_.packed_size;
    return flat;
  }

  FlatStep flatten_block(const TileBlock& block);
  void flatten_series(const TileSeries& series, FlatStep& flat);
  FlatLayer flatten_layer(const TileLayer& layer, int32_t& packed);
  void include(const TileNet& net, const FlatStep& flat);

  const TileProgram& program_;
  FlatProgram out_;
};

FlatLayer Flattener::flatten_layer(const TileLayer& layer, int32_t& packed) {
  if (layer.conditions > 0) {
    fail<ConfigError>("kernels.cuda.flatten", "program", "layers without a condition", "one",
                      "Run the composed form.");
  }
  FlatLayer flat;
  flat.weight = layer.weight;
  flat.bias = layer.bias;
  flat.scale = layer.scale;
  flat.beta = layer.beta;
  if (!layer.multipliers.empty()) flat.multipliers = append_numbers(layer.multipliers);
  flat.in_begin = narrow(layer.in_begin);
  flat.inputs = layer.weight == nullptr ? 0 : narrow(layer.inputs);
  flat.outputs = narrow(layer.outputs);
  flat.out_begin = narrow(layer.out_begin);
  flat.z_begin = narrow(layer.z_begin);
  flat.slope_begin = narrow(layer.slope_begin);
  if (layer.activated) flat.kind = kind_of(layer.activation);
  flat.activated = layer.activated;
  flat.shares_input = layer.shares_input;
  flat.packed = packed;
  flat.pitch = flat.outputs | 1;
  const int64_t end = int64_t{flat.bias_begin()} + (layer.bias == nullptr ? 0 : flat.outputs);
  narrow(int64_t{flat.inputs} * flat.pitch + flat.outputs);
  packed = narrow(end);
  out_.shape.outputs = std::max(out_.shape.outputs, flat.outputs);
  return flat;
}

void Flattener::flatten_series(const TileSeries& series, FlatStep& flat) {
  flat.term_begin = narrow(static_cast<int64_t>(out_.terms.size()));
  flat.term_count = narrow(static_cast<int64_t>(series.terms.size()));
  for (const SeriesTerm& term : series.terms) out_.terms.push_back({term.power, term.value});
  flat.counts = series.counts;
  flat.probes = series.probes;
  flat.shift = series.shift;
  flat.constant = series.constant;
  flat.tail_factor = series.tail_factor;
}

void Flattener::include(const TileNet& net, const FlatStep& flat) {
  FlatShape& shape = out_.shape;
  shape.features = std::max(shape.features, flat.features);
  shape.z_rows = std::max(shape.z_rows, flat.z_rows);
  shape.slope_rows = std::max(shape.slope_rows, narrow(net.slope_rows));
  shape.tangents = std::max(shape.tangents, flat.tangents);
  shape.memory = std::max(shape.memory, flat.memory);
  shape.exact = shape.exact || flat.exact;
}

FlatStep Flattener::flatten_block(const TileBlock& block) {
  FlatStep flat;
  flat.layer_begin = narrow(static_cast<int64_t>(out_.layers.size()));
  flat.layer_count = narrow(static_cast<int64_t>(block.net.layers.size()));
  flat.features = narrow(block.net.features);
  flat.z_rows = narrow(block.net.z_rows);
  flat.exact = block.exact;
  flat.tangents = narrow(block.exact ? block.net.dim : block.series.probe_count);
  flat.a = block.a;
  flat.b = block.b;
  flat.c = block.c;
  flat.d = block.d;
  flat.kappa = block.kappa;
  flat.tolerance = block.tolerance;
  flat.lipschitz = block.lipschitz;
  flat.memory = std::min({narrow(block.memory), out_.shape.dim, kMostMemory});
  flat.max_iterations = block.max_iterations;
  flat.packed_begin = out_.packed_size;
  for (const TileLayer& layer : block.net.layers)
    out_.layers.push_back(flatten_layer(layer, flat.packed_size));
  if (!block.exact) flatten_series(block.series, flat);
  include(block.net, flat);
  out_.solves = out_.solves || flat.solves();
  return flat;
}

}  // namespace

Kind kind_of(Activation activation) {
  if (is_sorting(activation)) {
    fail<ConfigError>("kernels.cuda", "activation", "an elementwise activation", "a sorting one",
                      "Use SortLayer, which runs composed.");
  }
  return static_cast<Kind>(activation);
}

int64_t packed_weights(const TileNet& net) {
  int64_t packed = 0;
  for (const TileLayer& layer : net.layers) {
    if (layer.weight != nullptr) packed += layer.inputs * (layer.outputs | 1);
    if (layer.bias != nullptr) packed += layer.outputs;
  }
  return packed;
}

bool weights_stay_close(int64_t packed, int64_t element_size) {
  return packed * element_size <= kWeightBytes;
}

FlatProgram flatten(const TileProgram& program) { return Flattener(program).run(); }

Layout choose_layout(const FlatProgram& program, int64_t batch, int64_t element_size) {
  constexpr int64_t kMostSamples = 16, kMostLanes = 32;
  constexpr int64_t kMostBlocks = int64_t{1} << 20, kMostBlocksWithMemory = 512;
  const FlatShape& shape = program.shape;
  const int64_t rows = sample_rows(shape);
  Layout out;
  out.shared_weights = weights_stay_close(shape.packed, element_size);
  const int64_t left = kSharedBytes - (out.shared_weights ? shape.packed * element_size : 0);
  const int64_t fits = left / (rows * element_size);
  // Small batches: few samples a block, many blocks.
  int64_t samples = std::clamp<int64_t>((batch + 255) / 256, 1, kMostSamples);
  out.shared_scratch = fits >= std::min<int64_t>(samples, 4);
  if (out.shared_scratch) samples = std::min(samples, fits % 2 == 1 ? fits : fits - 1);
  samples = std::max<int64_t>(samples, 1);
  const auto widest = static_cast<uint64_t>(std::max({shape.outputs, shape.dim, 1}));
  const auto lanes = std::min({std::bit_floor(static_cast<uint64_t>(kMostThreads / samples)),
                               std::bit_ceil(widest), static_cast<uint64_t>(kMostLanes)});
  out.samples = static_cast<int32_t>(samples);
  out.lanes = static_cast<int32_t>(lanes);
  out.stride = out.samples | 1;
  const int64_t tiles = std::max<int64_t>(1, (batch + samples - 1) / samples);
  // A block for each tile, so that no multiprocessor idles in a last wave; fewer where each has
  // memory of its own.
  out.blocks = std::min(tiles, out.shared_scratch ? kMostBlocks : kMostBlocksWithMemory);
  return out;
}

ProgramArrays arrays_of(const FlatProgram& program) {
  ProgramArrays out;
  out.steps = program.steps.data();
  out.step_count = static_cast<int64_t>(program.steps.size());
  out.layers = program.layers.data();
  out.layer_count = static_cast<int64_t>(program.layers.size());
  out.terms = program.terms.data();
  out.term_count = static_cast<int64_t>(program.terms.size());
  out.numbers = program.numbers.data();
  out.number_count = static_cast<int64_t>(program.numbers.size());
  out.packed_size = program.packed_size;
  out.solves = program.solves;
  return out;
}

template <class T>
Run<T> run_of(const TileCall<T>& call, const FlatProgram& program) {
  CF_ASSERT(call.mode == TileMode::kForward && call.points == nullptr);
  Run<T> run;
  run.batch = call.batch;
  run.x = call.x;
  run.y = call.y;
  run.log_det = call.log_det;
  run.solve_error = call.solve_error;
  run.bias_bound = call.bias_bound;
  run.shape = program.shape;
  run.layout = choose_layout(program, call.batch, static_cast<int64_t>(sizeof(T)));
  return run;
}

template Run<float> run_of(const TileCall<float>& call, const FlatProgram& program);
template Run<double> run_of(const TileCall<double>& call, const FlatProgram& program);

}  // namespace contraflow::kernels::cuda
