#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <memory>

#include "contraflow/bases/base.h"
#include "contraflow/core/export.h"
#include "contraflow/core/rng.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

/// Log-densities with their Monte Carlo error; float64 whatever the flow's type.
struct LogProbWithError {
  at::Tensor log_prob;        ///< [B], nats: mean over replicates.
  at::Tensor standard_error;  ///< [B], nats: of that mean; exactly 0 when nothing is random.
  at::Tensor bias_bound;      ///< [B], nats: certified bound on |bias|; 0 for exact and unbiased.
  int64_t replicates = 1;     ///< Independent draws in each value; degrees of freedom + 1.
  /// [B], nats: logarithm of the mean density over the replicates. Where nothing is random but the
  /// noise in integers (Flow::noise_only()) it estimates the logarithm of the row's probability, of
  /// which log_prob is a lower bound; on average it is low by about half its squared error.
  /// Undefined where nothing is random.
  at::Tensor log_mean = {};
  at::Tensor log_mean_error = {};  ///< [B], nats: its standard error, to first order.
};

/// Samples with the density at each.
struct SampleWithLogProb {
  at::Tensor sample;  ///< [N, event...]
  /// [N], nats, under the flow itself (temperature 1). With dequantization: of the point drawn in
  /// the sample's cell, one draw of what log_prob_with_error() averages.
  at::Tensor log_prob;
  /// [N]: certified bound on the Euclidean error of `sample`; 0 if explicit.
  at::Tensor error_bound;
};

struct SampleArguments {
  Rng rng{0};
  double temperature = 1.0;
  at::Tensor condition = {};  ///< [N, condition_shape()] or undefined.
  /// false: log_prob of sample_and_log_prob() stays undefined, and its cost is saved.
  bool wants_log_prob = true;
};

/// A density on x: transform to z, then a base density. log p(x) = log p(z) + log|det dz/dx|.
///
/// Shapes   x: [B, event_shape()]; log_prob: [B] in nats.
/// Random   context.rng, {} = Rng(0): two calls without one give the same numbers. See Rng for what
///          makes results independent of threads and batch split.
/// Throws   ShapeError (also for an empty batch or no samples), DtypeError, DomainError (NaN or
///          infinite input, fewer than 2 replicates), ConvergenceError; ConfigError at construction
///          when the base does not have the transform's latent shape.
class CF_EXPORT Flow : public torch::nn::Module {
 public:
  Flow(TransformPtr transform, BasePtr base);

  /// log p(x), [B], nats; differentiable in x and the parameters. Where the transform is on the data
  /// side (Transform::data_side) x may be float64 whatever the weights have, here and below.
  at::Tensor log_prob(const at::Tensor& x, const Context& context = {}) const;
  /// log p(x), [B], nats, without a graph, while the gradient of sum_b weight_b log p(x_b) is added
  /// to the parameters' grads (undefined ones start at zero). What log_prob() and backward() give;
  /// a chain that the tile kernels run end to end, on a base that gives its row_score(), visits each
  /// row once.
  at::Tensor add_log_prob_gradient(const at::Tensor& x, const at::Tensor& weight,
                                   const Context& context = {}) const;
  /// log p(x) with the standard error of probes, roulette and dequantization together, from
  /// `replicates` independent evaluations (>= 2). No autograd. Cost: `replicates` forwards.
  LogProbWithError log_prob_with_error(const at::Tensor& x, const Context& context = {},
                                       int64_t replicates = 8) const;
  /// `count` samples; up to rounding, sample r is the same whatever `count` is. No autograd.
  at::Tensor sample(int64_t count, const SampleArguments& arguments = {}) const;
  SampleWithLogProb sample_and_log_prob(int64_t count, const SampleArguments& arguments = {}) const;
  /// Samples with a graph, in Phase::kTrain: gradients of functions of the sample and of log_prob
  /// reach the parameters of the transform through its inverse, and those of the base where
  /// base()->has_pathwise_draws(). The same random numbers as sample().
  SampleWithLogProb rsample_and_log_prob(int64_t count,
                                         const SampleArguments& arguments = {}) const;

  /// State updates before a training step; see Transform::prepare.
  void prepare(const at::Tensor& x, const Context& context = {});

  const TransformPtr& transform() const { return transform_; }
  const BasePtr& base() const { return base_; }
  std::vector<int64_t> event_shape() const { return transform_->event_shape(); }
  /// Shape of one condition; empty = unconditional.
  std::vector<int64_t> condition_shape() const { return transform_->condition_shape(); }
  bool conditional() const { return transform_->conditional(); }
  /// In evaluation nothing is random but the noise of maps that are no bijections, dequantizations: a
  /// mean over it is one over a cell. False also where nothing is random.
  bool noise_only() const;
  /// What random numbers do to log_prob in a phase.
  Randomness randomness(Phase phase) const { return transform_->randomness(phase); }

 private:
  struct Draw {
    at::Tensor latent;
    TransformOutput output;
  };
  Draw draw(const char* where, int64_t count, const SampleArguments& arguments, Phase phase,
            bool wants_log_det) const;
  SampleWithLogProb with_log_prob(const Draw& drawn, bool wants_log_prob) const;

  TransformPtr transform_;
  BasePtr base_;
};

using FlowPtr = std::shared_ptr<Flow>;

}  // namespace contraflow
