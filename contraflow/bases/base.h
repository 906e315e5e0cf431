#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/rng.h"
#include "contraflow/kernels/row_score.h"

namespace contraflow {

/// A base density on events of a fixed shape: the latent side of a flow.
///
/// Shapes   z: [B, event_shape()], log_prob: [B] in nats.
/// Random   row r of sample() belongs to sample rng.first_row() + r.
/// Throws   ShapeError, DtypeError; DomainError for a temperature that is not positive.
class CF_EXPORT Base : public torch::nn::Module {
 public:
  /// log density, [B]; -inf outside the support.
  at::Tensor log_prob(const at::Tensor& z) const;
  /// `count` draws, differentiable in the parameters where the draw is. The temperature scales the
  /// spread of each component about its centre (1 = the density itself).
  at::Tensor sample(int64_t count, const Rng& rng, double temperature = 1.0) const;
  virtual std::vector<int64_t> event_shape() const = 0;
  /// What the registry builds this base from, {"type": ..., options}, every default filled in.
  /// ConfigError (the default) when it was not built from options.
  virtual nlohmann::ordered_json spec() const;
  /// The gradient of log_prob() on rows of numbers as plain code, for fused kernels; null where
  /// there is none, or parameters want gradients too.
  virtual const kernels::RowScore* row_score() const { return nullptr; }
  /// Whether draws are differentiable in every parameter that learns: not so where a learned weight
  /// chooses a component.
  virtual bool has_pathwise_draws() const { return true; }
  /// Whether every point has a density; rows elsewhere have log_prob -inf, and no gradient leads back.
  virtual bool has_full_support() const { return true; }

 protected:
  virtual at::Tensor do_log_prob(const at::Tensor& z) const = 0;
  virtual at::Tensor do_sample(int64_t count, const Rng& rng, double temperature) const = 0;
  /// dtype and device of the draws: those of the parameters or buffers.
  virtual at::TensorOptions tensor_options() const = 0;
  /// [count] + event_shape().
  std::vector<int64_t> batch_shape(int64_t count) const;
};

using BasePtr = std::shared_ptr<Base>;

}  // namespace contraflow
