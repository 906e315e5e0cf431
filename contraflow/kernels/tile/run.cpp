// Highway compiles this file once for each instruction set and picks one at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "contraflow/kernels/tile/run.cpp"
#include "contraflow/kernels/tile/targets.h"
// clang-format off: the targets come first
#include <hwy/foreach_target.h>
// clang-format on

#include <hwy/aligned_allocator.h>

#include "contraflow/core/parallel.h"
#include "contraflow/kernels/forward_program.h"
#include "contraflow/kernels/tile/compiled_targets.h"
#include "contraflow/kernels/tile/flow-inl.h"
#include "contraflow/kernels/tile/flush_subnormals.h"
#include "contraflow/kernels/tile/workspace.h"

HWY_BEFORE_NAMESPACE();
namespace contraflow::kernels::HWY_NAMESPACE {

// Weights times scale and multipliers, in the order of the products: forward or backward ones.
template <class T>
void pack_layer(const TileLayer& layer, bool forward, T* out) {
  const T* w = static_cast<const T*>(layer.weight);
  const int64_t inputs = layer.inputs;
  std::vector<T> factor(static_cast<size_t>(inputs), static_cast<T>(layer.scale));
  for (size_t i = 0; i < layer.multipliers.size(); ++i)
    factor[i] = static_cast<T>(layer.scale * layer.multipliers[i]);
  if (forward) return pack(w, layer.outputs, inputs, factor.data(), out);
  pack_transposed(w, inputs, layer.outputs, factor.data(), out);
}

// The same of a condition's weight, which has neither.
template <class T>
void pack_condition(const TileLayer& layer, bool forward, T* out) {
  const T* v = static_cast<const T*>(layer.condition_weight);
  const std::vector<T> ones(static_cast<size_t>(layer.conditions), T(1));
  if (forward) return pack(v, layer.outputs, layer.conditions, ones.data(), out);
  pack_transposed(v, layer.conditions, layer.outputs, ones.data(), out);
}

template <class T>
struct Packed {
  std::vector<std::vector<PackedLayer<T>>> layers;   // per step
  std::vector<std::vector<int64_t>> gradient_begin;  // per step and layer, padded
  std::vector<int64_t> affine_gradient;
  int64_t gradient_size = 0;
};

template <class T>
Packed<T> lay_out(const TileProgram& program, Arena& arena) {
  Packed<T> out;
  for (const TileStep& step : program.steps) {
    out.layers.emplace_back();
    out.gradient_begin.emplace_back();
    out.affine_gradient.push_back(out.gradient_size);
    const auto* block = std::get_if<TileBlock>(&step);
    if (block == nullptr) {
      out.gradient_size += padded(2 * program.dim);
      continue;
    }
    for (const TileLayer& layer : block->net.layers) {
      PackedLayer<T> packed;
      if (layer.weight != nullptr) {
        packed.forward = arena.take<T>(layer.inputs * layer.outputs);
        packed.backward = arena.take<T>(layer.inputs * layer.outputs);
      }
      if (layer.conditions > 0) {
        packed.condition_forward = arena.take<T>(layer.conditions * layer.outputs);
        packed.condition_backward = arena.take<T>(layer.conditions * layer.outputs);
      }
      out.layers.back().push_back(packed);
      out.gradient_begin.back().push_back(out.gradient_size);
      out.gradient_size +=
          padded(condition_offset<T>(layer) + layer.conditions * gradient_stride<T>(layer.outputs));
    }
  }
  return out;
}

// One of the kParts parts of the work on a layer's weights.
struct LayerPlace {
  size_t step, layer;
  int64_t part;
};
constexpr int64_t kParts = 2;  // so that three equal layers keep two threads equally busy

// Calls body(place) for all parts of every layer, on threads where the weights are worth it.
template <class Body>
void for_each_layer(const TileProgram& program, const Body& body) {
  std::vector<LayerPlace> places;
  int64_t weights = 0;
  for (size_t k = 0; k < program.steps.size(); ++k) {
    const auto* block = std::get_if<TileBlock>(&program.steps[k]);
    if (block == nullptr) continue;
    for (size_t l = 0; l < block->net.layers.size(); ++l) {
      for (int64_t part = 0; part < kParts; ++part) places.push_back({k, l, part});
      weights += block->net.layers[l].inputs * block->net.layers[l].outputs;
    }
  }
  constexpr int64_t kWorthThreads = int64_t{1} << 14;
  if (weights < kWorthThreads) {
    for (const LayerPlace& place : places) body(place);
    return;
  }
  parallel_items(std::ssize(places), [&](int64_t p) { body(places[static_cast<size_t>(p)]); });
}

const TileLayer& layer_at(const TileProgram& program, const LayerPlace& place) {
  return std::get<TileBlock>(program.steps[place.step]).net.layers[place.layer];
}

template <class T>
void pack_weights(const TileProgram& program, const Packed<T>& packed) {
  static_assert(kParts == 2);
  for_each_layer(program, [&](const LayerPlace& place) {
    const PackedLayer<T>& to = packed.layers[place.step][place.layer];
    const bool forward = place.part == 0;
    if (to.forward == nullptr) return;
    const TileLayer& layer = layer_at(program, place);
    pack_layer(layer, forward, const_cast<T*>(forward ? to.forward : to.backward));
    if (layer.conditions > 0)
      pack_condition(layer, forward,
                     const_cast<T*>(forward ? to.condition_forward : to.condition_backward));
  });
}

template <class T>
int64_t worker_bytes(const FlowPlan<T>& plan) {
  Arena arena;
  FlowWorker<T> worker(plan, arena);
  return arena.used();
}

bool has_series(const TileProgram& program) {
  return std::any_of(program.steps.begin(), program.steps.end(), [](const TileStep& step) {
    const auto* block = std::get_if<TileBlock>(&step);
    return block != nullptr && block->has_series();
  });
}

int64_t z_rows(const TileProgram& program) {
  int64_t rows = 0;
  for (const TileStep& step : program.steps) {
    if (const auto* block = std::get_if<TileBlock>(&step)) rows += block->net.z_rows;
  }
  return rows;
}

// Vectors that a product takes at a time: fewer leave registers idle, and every product reads its
// weights once for each such group, for a wide net from the third-level cache.
constexpr int64_t kProductVectors = 3;

// Tiles as large as the budget allows, but so many of them, where the batch has them, that threads
// share the work evenly. All tapes are kept where they fit the second-level cache.
template <class T>
void choose_tile(FlowPlan<T>& plan) {
  const TileCall<T>& call = *plan.call;
  // The long chains of a series are few samples wide: larger tiles fill their vectors better.
  const bool series = has_series(*call.program);
  const int64_t rows = (series ? 4 : 8) * lanes<T>();
  const int64_t wanted = std::clamp<int64_t>((call.batch + rows - 1) / rows, 1, kMostTileVectors);
  const int64_t fewest = std::min<int64_t>(wanted, series ? 2 : 1);
  if (call.mode == TileMode::kLoss) {
    plan.keep_tapes = true;  // halves: as many tiles for each of two, four, ... threads
    const int64_t filled = std::min(wanted, kProductVectors);
    for (plan.vectors = wanted; plan.vectors >= filled; plan.vectors /= 2) {
      if (worker_bytes(plan) <= kKeptTapesBytes) return;
    }
    plan.keep_tapes = false;
  }
  plan.vectors = wanted;
  const auto shrink = [&](int64_t least, int64_t bytes) {
    while (plan.vectors > least && worker_bytes(plan) > bytes) --plan.vectors;
  };
  if (call.mode == TileMode::kForward) shrink(kProductVectors, kForwardBytes);
  shrink(fewest, kTileWorkspaceBytes);
  if (plan.vectors < wanted && plan.vectors > kProductVectors)
    plan.vectors -= plan.vectors % kProductVectors;
  plan.keep_z =
      call.mode == TileMode::kLoss &&
      z_rows(*call.program) * plan.rows() * static_cast<int64_t>(sizeof(T)) <= kKeptZBytes;
}

template <class T>
FlowPlan<T> make_plan(const TileCall<T>& call, const Packed<T>& packed) {
  FlowPlan<T> plan;
  plan.call = &call;
  plan.affine_gradient = packed.affine_gradient;
  int64_t sums = 0;
  for (size_t k = 0; k < call.program->steps.size(); ++k) {
    const auto* block = std::get_if<TileBlock>(&call.program->steps[k]);
    plan.nets.push_back(block == nullptr ? NetView<T>{}
                                         : NetView<T>{&block->net, packed.layers[k].data(),
                                                      packed.gradient_begin[k].data()});
    plan.probe_sum_begin.push_back(sums);
    if (block != nullptr && block->has_series())
      sums += block->series.probe_count * call.batch * call.program->dim;
  }
  choose_tile(plan);
  return plan;
}

// out += the chunks' sums, in the order of the chunks; padding is dropped.
template <class T>
void add_chunks(const T* chunks, int64_t count, int64_t chunk_size, int64_t from, int64_t length,
                T* out) {
  const Tag<T> d;
  const T* first = chunks + from;
  int64_t i = 0;
  for (; i + lanes<T>() <= length; i += lanes<T>()) {
    Vec<T> sum = hn::LoadU(d, first + i);
    for (int64_t c = 1; c < count; ++c) sum = sum + hn::LoadU(d, first + c * chunk_size + i);
    hn::StoreU(hn::LoadU(d, out + i) + sum, d, out + i);
  }
  for (; i < length; ++i) {
    T sum = first[i];
    for (int64_t c = 1; c < count; ++c) sum += first[c * chunk_size + i];
    out[i] += sum;
  }
}

/// The sums of all chunks, one after another.
template <class T>
struct ChunkSums {
  const T* data;
  int64_t count, size;

  void add_to(T* out, int64_t from, int64_t length) const {
    add_chunks(data, count, size, from, length, out);
  }
};

template <class T>
void reduce_layer(const TileLayer& layer, int64_t part, const ChunkSums<T>& sums, int64_t from,
                  T* out) {
  const bool last = part + 1 == kParts;
  if (last) {
    const int64_t begin = from + condition_offset<T>(layer);
    for (int64_t j = 0; j < layer.conditions; ++j)
      sums.add_to(out + layer.condition_gradient() + j * layer.outputs,
                  begin + j * gradient_stride<T>(layer.outputs), layer.outputs);
  }
  if (layer.weight != nullptr) {
    const int64_t stride = gradient_stride<T>(layer.outputs);
    for (int64_t i = part * layer.inputs / kParts; i < (part + 1) * layer.inputs / kParts; ++i)
      sums.add_to(out + i * layer.outputs, from + i * stride, layer.outputs);
    from += layer.inputs * stride;
    out += layer.inputs * layer.outputs;
    if (last) sums.add_to(out, from, layer.outputs);
    from += layer.outputs;
    out += layer.outputs;
  }
  if (last) sums.add_to(out, from, 1);
}

template <class T>
void reduce_gradients(const TileCall<T>& call, const Packed<T>& packed, const ChunkSums<T>& sums) {
  const TileProgram& program = *call.program;
  for (size_t k = 0; k < program.steps.size(); ++k) {
    const auto* affine = std::get_if<TileAffine>(&program.steps[k]);
    if (affine == nullptr) continue;
    sums.add_to(call.gradient + affine->gradient_begin, packed.affine_gradient[k], 2 * program.dim);
  }
  for_each_layer(program, [&](const LayerPlace& place) {
    const TileLayer& layer = layer_at(program, place);
    reduce_layer(layer, place.part, sums, packed.gradient_begin[place.step][place.layer],
                 call.gradient + layer.gradient_begin);
  });
}

// Sums over rows are taken by chunks of tiles, which depend on the batch alone: results do not
// change with the number of threads.
template <class T>
int64_t chunk_count(int64_t tiles, int64_t batch, int64_t gradient_size) {
  if (gradient_size == 0) return tiles;
  constexpr int64_t kMostBytes = int64_t{16} << 20;
  const int64_t fits = kMostBytes / (gradient_size * static_cast<int64_t>(sizeof(T)));
  // A chunk's sums are written and read back once: rows enough to make up for it.
  constexpr int64_t kRowsWorth = 64;
  return std::min({tiles, std::clamp<int64_t>(fits, 4, 16),
                   std::max<int64_t>(4, (batch + kRowsWorth - 1) / kRowsWorth)});
}

TileSolveStatus worst_of(const std::vector<TileSolveStatus>& all) {
  TileSolveStatus out;
  for (const TileSolveStatus& status : all) {
    const int64_t iterations = std::max(out.iterations, status.iterations);
    if (out.row < 0) out = status;
    out.iterations = iterations;
  }
  return out;
}

template <class T>
void run_program(TileCall<T>& call) {
  const TileProgram& program = *call.program;
  Arena measure;
  lay_out<T>(program, measure);
  Arena weights(thread_workspace(Workspace::kWeights, measure.used()));
  const Packed<T> packed = lay_out<T>(program, weights);
  pack_weights(program, packed);
  const FlowPlan<T> plan = make_plan(call, packed);
  const int64_t bytes = worker_bytes(plan);
  const bool gradients = call.mode != TileMode::kForward;
  const int64_t tiles = (call.batch + plan.rows() - 1) / plan.rows();
  const int64_t gradient_size = gradients ? packed.gradient_size : 0;
  const int64_t chunks = chunk_count<T>(tiles, call.batch, gradient_size);
  T* sums = nullptr;
  if (gradients) {
    Arena arena(thread_workspace(Workspace::kGradients,
                                 chunks * gradient_size * static_cast<int64_t>(sizeof(T))));
    sums = arena.take<T>(chunks * gradient_size);
  }
  std::vector<TileSolveStatus> status(static_cast<size_t>(chunks));
  parallel_items(chunks, [&](int64_t c) {
    const ScopedFlushSubnormals flush;
    Arena arena(thread_workspace(Workspace::kTile, bytes));
    FlowWorker<T> worker(plan, arena);
    T* gradient = gradients ? sums + c * gradient_size : nullptr;
    const int64_t begin = c * tiles / chunks, end = (c + 1) * tiles / chunks;
    for (int64_t t = begin; t < end; ++t) {
      const int64_t first = t * plan.rows();
      worker.run(first, std::min(plan.rows(), call.batch - first), gradient, t == begin,
                 status[static_cast<size_t>(c)]);
    }
  });
  if (gradients) reduce_gradients(call, packed, ChunkSums<T>{sums, chunks, gradient_size});
  call.status = worst_of(status);
}

template <class T>
void run(TileCall<T>& call) {
  if (call.mode != TileMode::kForward) return run_program(call);
  const TileProgram compact = forward_program(*call.program);
  TileCall<T> forward = call;
  forward.program = &compact;
  run_program(forward);
  call.status = forward.status;
}

void run_f32(TileCall<float>& call) { run(call); }
void run_f64(TileCall<double>& call) { run(call); }

}  // namespace contraflow::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace contraflow::kernels {

HWY_EXPORT(run_f32);
HWY_EXPORT(run_f64);

int64_t compiled_targets() { return HWY_TARGETS; }

void run_tiles(TileCall<float>& call) { HWY_DYNAMIC_DISPATCH(run_f32)(call); }
void run_tiles(TileCall<double>& call) { HWY_DYNAMIC_DISPATCH(run_f64)(call); }

}  // namespace contraflow::kernels
#endif
