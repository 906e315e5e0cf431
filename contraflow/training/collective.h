#pragma once

#include <torch/nn/module.h>

#include <cstdint>

#include "contraflow/core/estimate.h"
#include "contraflow/core/export.h"

namespace contraflow {

/// Several processes, or threads with a copy of the model each, that train one model together:
/// each computes its share of every batch. An implementation wraps what moves the numbers, such as
/// a process group of LibTorch.
///
/// Order      every rank makes the same calls in the same order; each call waits for all.
/// Threads    one thread per rank.
/// Throws     whatever the implementation throws; training then ends with that error.
class CF_EXPORT Collective {
 public:
  virtual ~Collective() = default;
  virtual int64_t rank() const = 0;  ///< 0 .. size() - 1; rank 0 alone writes files and records.
  virtual int64_t size() const = 0;
  /// Replaces the tensor by its sum over the ranks: the same bits on every rank, and adding zeros
  /// changes no bit.
  virtual void all_reduce_sum(const at::Tensor& tensor) = 0;
  /// Replaces the tensor by that of rank 0.
  virtual void broadcast(const at::Tensor& tensor) = 0;
};

/// Rows begin .. end - 1 of `rows` rows.
struct RowShare {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t rows = 0;

  int64_t size() const { return end - begin; }
  bool is_all() const { return size() == rows; }
};

/// The part of `rows` rows that this rank computes; all of them where `collective` is null. Shares
/// are in the order of the ranks and differ by one row at most.
CF_EXPORT RowShare share_of(int64_t rows, const Collective* collective);

/// The part of a mean over all rows that the values of a share contribute: the parts of all ranks
/// add up to the mean.
CF_EXPORT at::Tensor mean_part(const at::Tensor& values, const RowShare& share);

/// Losses of the rows of one share, in nats per event.
struct RowLosses {
  at::Tensor loss;    ///< [share.size()], detached.
  at::Tensor weight;  ///< [share.size()], or undefined: all one.
  RowShare share;
};

/// The weighted mean over the rows of all shares: each row is added in its place, so the bits do
/// not depend on the number of ranks.
CF_EXPORT Estimate mean_loss(const RowLosses& losses, Collective* collective);

/// Makes parameters and buffers of every rank those of rank 0. Nothing where `collective` is null.
CF_EXPORT void broadcast_state(const torch::nn::Module& module, Collective* collective);

/// Whether `value` is true on any rank.
CF_EXPORT bool any_rank(bool value, Collective* collective);

}  // namespace contraflow
