#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <optional>
#include <vector>

#include "contraflow/core/rng.h"

namespace contraflow {

/// Which of the two visible estimator options applies; nothing else may depend on it.
enum class Phase { kTrain, kEvaluate };

/// What travels through a call besides the tensor. Cheap to copy.
struct Context {
  /// Conditioning variables [B, C]; undefined for an unconditional flow.
  at::Tensor condition = {};
  /// Random numbers of this call; row r of the batch draws as sample rng.first_row() + r.
  Rng rng{0};
  Phase phase = Phase::kEvaluate;
  /// false: log_det and its bound may stay undefined, where leaving them out saves work.
  bool wants_log_det = true;
  /// Ask for parameter gradients to be added to the parameters' .grad by the backward pass itself,
  /// past autograd, whose own accumulation takes microseconds per parameter: 140 small parameters
  /// cost more than their network. For a caller that calls backward(), once; autograd::grad() with
  /// respect to parameters then finds nothing, and hooks on parameters do not run. Transforms are
  /// free to ignore it.
  bool direct_gradients = false;

  /// The same context with an independent random stream; a chain forks once per member.
  [[nodiscard]] Context fork(uint64_t tag) const;
};

/// Result of forward or inverse.
struct TransformOutput {
  at::Tensor value;    ///< [B, event...]
  at::Tensor log_det;  ///< [B], nats: log|det d(value)/d(input)|.
  /// [B], nats: certified bound on |bias of log_det|; undefined means zero (exact or unbiased).
  at::Tensor log_det_bias_bound;
  /// [B]: certified bound on the Euclidean error of `value`; undefined means rounding only.
  at::Tensor solve_error_bound;
};

/// A map data x -> latent z with a log-determinant.
///
/// Direction  forward = data -> latent; inverse = latent -> data. log_det is that of the call made.
/// Shapes     x: [B, event_shape()], z: [B, latent_shape()], log_det: [B].
/// Types      float32, float64; the input must have the dtype and device of the parameters.
/// Random     draws only from context.rng.
/// State      forward and inverse are const and pure. State updates (norm refresh, ActNorm
///            initialisation) happen in prepare(), which the trainer calls before every step.
/// Threads    const members may run concurrently; prepare() needs exclusive access.
/// Throws     ShapeError (also for an empty batch), DtypeError on a bad input; ConvergenceError;
///            InverseUnavailable.
///
/// Concrete transforms are final, take their options struct, and implement the do_ methods; shape
/// checks happen once, here.
class Transform : public torch::nn::Module {
 public:
  TransformOutput forward(const at::Tensor& x, const Context& context = {}) const;
  TransformOutput inverse(const at::Tensor& z, const Context& context = {}) const;

  /// Updates state from a batch of inputs [B, event_shape()]. Runs without autograd. Data-dependent
  /// members (ActNorm, standardisation) initialise at the first call only. x may be undefined where
  /// prepare_needs_data() is false.
  void prepare(const at::Tensor& x, const Context& context = {});
  /// Whether the next prepare() will look at x; a chain then computes the inputs of its members.
  virtual bool prepare_needs_data() const { return false; }
  /// Puts off what the next prepare() would measure and the transform can do without for a while,
  /// for a caller that has no data: members of members too. What it cannot do without stays.
  virtual void postpone_measurements();

  /// Shape of one event without the batch axis.
  virtual std::vector<int64_t> event_shape() const = 0;
  virtual std::vector<int64_t> latent_shape() const { return event_shape(); }
  /// Width C of context.condition; 0 = unconditional.
  virtual int64_t condition_size() const { return 0; }
  /// Certified upper bounds on the Lipschitz constants of the two maps, where known: how much an
  /// error in x can grow in z, and an error in z in x.
  virtual std::optional<double> forward_lipschitz() const { return std::nullopt; }
  virtual std::optional<double> inverse_lipschitz() const { return std::nullopt; }

  /// Adds the map of forward (or inverse) on the batch of `to` to a tile program. False, and
  /// nothing added, when the tile kernels cannot run it: the default.
  virtual bool lower(struct TileLowering& /*to*/, const Context& /*context*/,
                     bool /*inverse*/) const {
    return false;
  }

 protected:
  virtual TransformOutput do_forward(const at::Tensor& x, const Context& context) const = 0;
  virtual TransformOutput do_inverse(const at::Tensor& z, const Context& context) const = 0;
  virtual void do_prepare(const at::Tensor& /*x*/, const Context& /*context*/) {}

 private:
  void check_input(const char* where, const char* name, const at::Tensor& x, at::IntArrayRef event,
                   const Context& context) const;
  void check_condition(const char* where, const at::Tensor& x, const Context& context) const;
};

using TransformPtr = std::shared_ptr<Transform>;

/// The first floating parameter or buffer of a module tree: it tells dtype and device. Undefined
/// when there is none.
at::Tensor first_floating_tensor(const torch::nn::Module& module);
/// Numbers in all parameters of `module`.
int64_t parameter_count(const torch::nn::Module& module);

}  // namespace contraflow
