#pragma once

#include <functional>

#include "contraflow/core/export.h"
#include "contraflow/data/columns.h"
#include "contraflow/data/source.h"
#include "contraflow/distributions/flow.h"

namespace contraflow {

/// What to draw from a flow.
struct DrawOptions {
  int64_t count = 0;
  Rng rng{0};                ///< Sample r depends on it and on r alone.
  double temperature = 1.0;  ///< Factor on the spread of the base.
  at::Tensor given = {};     ///< Condition [1, condition] of all samples.
  int64_t batch = 0;         ///< Samples at a time; 0 = as memory allows.
  /// false: log_prob stays undefined, and its cost is saved, which for images is most of all.
  bool wants_log_prob = true;
};

/// The condition [1, ...] for `rows` rows, in the dtype that the flow takes and on its device; undefined
/// stays undefined.
CF_EXPORT at::Tensor condition_for(const Flow& flow, const at::Tensor& given, int64_t rows);

/// Draws in chunks, so that memory does not depend on the count: `use` gets the samples from number
/// `first` on, with their log-densities and certified error bounds, in float64 on the CPU.
///
/// Random     options.rng; sample r is the same, up to rounding, whatever the count and the chunks.
/// Throws     as Flow::sample_and_log_prob, and what `use` throws.
/// Example    draw_in_chunks(*flow, {.count = 1'000'000}, [&](const auto& part, int64_t) {...});
CF_EXPORT void draw_in_chunks(
    const Flow& flow, const DrawOptions& options,
    const std::function<void(const SampleWithLogProb& part, int64_t first)>& use);

/// Samples [N, event...] in float64, drawn in chunks.
CF_EXPORT at::Tensor draw_samples(const Flow& flow, int64_t count, const Rng& rng,
                                  const at::Tensor& given);

/// The rows of a batch after the way to the latent and back, float64; row r draws as sample r.
CF_EXPORT at::Tensor reconstructed(const Flow& flow, const data::Batch& batch, const Rng& rng);

/// log p at points [N, event...] of any dtype, in chunks; float64, without autograd. Point r draws
/// as sample r of a fixed seed.
CF_EXPORT at::Tensor log_prob_at(const Flow& flow, const at::Tensor& points,
                                 const at::Tensor& given);

/// The log-densities [N] of drawn rows of a table as float64 has the rows. A draw close to a bound, or
/// of a spread that is small against an offset, is rounded, and its density with it: such rows of
/// `drawn` are evaluated again. Columns in steps are left as they are.
CF_EXPORT at::Tensor log_prob_of_rounded(const Flow& flow, const data::Columns& columns,
                                         const SampleWithLogProb& drawn, const at::Tensor& given);

}  // namespace contraflow
