#pragma once

#include <torch/nn/module.h>

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/randomness.h"
#include "contraflow/core/rng.h"

namespace contraflow {

class ContractiveMap;
class Transform;
using TransformPtr = std::shared_ptr<Transform>;

class Lowerable;

/// What a caller can do without or takes care of itself, so that work can be left out. Transforms
/// are free to ignore them: results do not depend on them.
struct Hints {
  /// false: log_det and its bound may stay undefined.
  bool wants_log_det = true;
  /// The backward pass may add parameter gradients to the parameters' .grad by itself, past
  /// autograd, whose own accumulation takes microseconds per parameter: 140 small parameters cost
  /// more than their network. For a caller that calls backward(), once; autograd::grad() with
  /// respect to parameters then finds nothing, and hooks on parameters do not run.
  bool direct_gradients = false;
};

/// What travels through a call besides the tensor. Cheap to copy.
struct CF_EXPORT Context {
  /// Conditioning variables [B, condition_shape()]; undefined for an unconditional flow.
  at::Tensor condition = {};
  /// Random numbers of this call; row r of the batch draws as sample rng.first_row() + r.
  Rng rng{0};
  Phase phase = Phase::kEvaluate;
  Hints hints = {};

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

/// A transform inside another one.
struct Member {
  std::string name;  ///< As in named_parameters(): "3" in a chain, "inner" in an inverse.
  TransformPtr transform;
};

/// One call that a leaf (a transform without members) gets while trace() runs a map.
struct TracedCall {
  std::string name;  ///< Dotted path from the traced transform: "3", "3.inner"; "" for itself.
  const Transform& transform;
  const at::Tensor& input;
  const Context& context;  ///< With the random stream and the condition that the leaf gets.
  bool inverse;            ///< Whether the leaf's inverse was called.
  const TransformOutput& output;
};
/// Returns false to stop.
using TraceVisitor = std::function<bool(const TracedCall&)>;

/// A map data x -> latent z with a log-determinant.
///
/// Direction  forward = data -> latent; inverse = latent -> data. log_det is that of the call made.
/// Shapes     x: [B, event_shape()], z: [B, latent_shape()], log_det: [B].
/// Types      float32, float64; the input must have the dtype and device of the parameters. Where
///            data_side(), x of forward and prepare may have either type.
/// Random     draws only from context.rng.
/// State      forward and inverse are const and pure. State updates (norm refresh, ActNorm
///            initialisation) happen in prepare(), which the trainer calls before every step.
/// Threads    const members may run concurrently; prepare() needs exclusive access.
/// Throws     ShapeError (also for an empty batch), DtypeError on a bad input; ConvergenceError;
///            InverseUnavailable.
///
/// Concrete transforms are final, take their options struct, and implement the do_ methods; shape
/// checks happen once, here.
class CF_EXPORT Transform : public torch::nn::Module {
 public:
  TransformOutput forward(const at::Tensor& x, const Context& context = {}) const;
  TransformOutput inverse(const at::Tensor& z, const Context& context = {}) const;

  /// Updates state from a batch of inputs [B, event_shape()]. Runs without autograd. Data-dependent
  /// members (ActNorm, standardisation) initialise at the first call only. x may be undefined where
  /// prepare_needs_data() is false.
  void prepare(const at::Tensor& x, const Context& context = {});
  /// Whether the next prepare() will look at x; a chain then computes the inputs of its members.
  virtual bool prepare_needs_data() const { return false; }
  /// Defers optional measurements (roulette calibration, batch statistics) to a later prepare(),
  /// for a caller that has no data; recursive. Initialisation is never deferred.
  virtual void defer_calibration();

  /// Shape of one event without the batch axis.
  virtual std::vector<int64_t> event_shape() const = 0;
  virtual std::vector<int64_t> latent_shape() const { return event_shape(); }
  /// Shape of one condition, without the batch axis; empty = unconditional.
  virtual std::vector<int64_t> condition_shape() const { return {}; }
  bool conditional() const { return !condition_shape().empty(); }
  /// Certified upper bounds on the Lipschitz constants of the two maps, where known: how much an
  /// error in x can grow in z, and an error in z in x.
  virtual std::optional<double> forward_lipschitz() const { return std::nullopt; }
  virtual std::optional<double> inverse_lipschitz() const { return std::nullopt; }

  /// What the registry builds this transform from, {"type": ..., options}, every default filled in.
  /// The weights are not in it. ConfigError (the default) when it was not built from options.
  virtual nlohmann::ordered_json spec() const;
  /// What random numbers do to log_det and value in a phase. The default is the worst of the
  /// members, kNone for a leaf. A wrapper around something random is random.
  virtual Randomness randomness(Phase phase) const;
  /// inverse(forward(x)) = x and forward(inverse(z)) = z. False where only the first holds
  /// (Dequantize). The default asks the members.
  virtual bool bijective() const;
  /// Takes x and the condition of either floating type, whatever the weights of the flow have, and computes in
  /// float64: the first transforms of a flow, which meet data with offsets and units. A chain casts
  /// what such a member gives to the type of the others, and is on the data side itself.
  virtual bool data_side() const { return false; }
  /// What a user should know about the options of a phase, a line each, for example an estimator of
  /// infinite variance. The default collects the members'.
  virtual std::vector<std::string> warnings(Phase phase) const;
  /// Transforms inside this one, in the order data -> latent; none for a leaf.
  virtual std::vector<Member> members() const { return {}; }
  /// The contractive map that this leaf is made of, for certificates and reports; null for others.
  virtual const ContractiveMap* contractive() const { return nullptr; }

  /// forward (or inverse) of x leaf by leaf: `visit` sees every call that a leaf gets, in order.
  /// What a whole call lowers to kernels runs member by member here, with the same random numbers.
  /// `value` of the result is undefined when `visit` stopped it.
  TransformOutput trace(const at::Tensor& x, const Context& context, bool inverse,
                        const TraceVisitor& visit, const std::string& name = "") const;

  /// What fused kernels can run of it (transforms/lowerable.h); null, the default: nothing.
  virtual const Lowerable* lowerable() const { return nullptr; }
  /// Whether each number of z is an increasing function of that number of x alone, so that the ends
  /// of an interval bound what lies between.
  virtual bool increasing() const { return false; }
  /// What the data made of it, feature by feature, in a few words for a reader: "curve of 8 knots".
  /// Empty, the default: nothing to say of any.
  virtual std::vector<std::string> feature_notes() const { return {}; }

 protected:
  virtual TransformOutput do_forward(const at::Tensor& x, const Context& context) const = 0;
  virtual TransformOutput do_inverse(const at::Tensor& z, const Context& context) const = 0;
  virtual void do_prepare(const at::Tensor& /*x*/, const Context& /*context*/) {}
  /// A transform with members overrides it: it calls trace() of each member where its map calls the
  /// member, with name + "." + the member's (member_name()), and stops where a value is undefined.
  virtual TransformOutput do_trace(const at::Tensor& x, const Context& context, bool inverse,
                                   const TraceVisitor& visit, const std::string& name) const;
  static std::string member_name(const std::string& name, const std::string& member);
  /// What a member gets of the caller's context: a random stream of its own, and the condition if
  /// it takes one.
  static Context context_of(const Transform& member, uint64_t tag, const Context& context);

 private:
  void check_input(const char* where, const char* name, const at::Tensor& x, at::IntArrayRef event,
                   const Context& context, bool is_data) const;
  void check_condition(const char* where, const at::Tensor& x, const at::Tensor& own,
                       const Context& context) const;
};

/// The leaves of a transform with their dotted names below it, in the order of members(): data ->
/// latent, but inside an inverse the order of the inner transform. Itself, with an empty name, when
/// it has no members.
CF_EXPORT std::vector<Member> leaves_of(const TransformPtr& transform);

/// The first floating parameter or buffer of a module tree: it tells dtype and device. Undefined
/// when there is none.
CF_EXPORT at::Tensor first_floating_tensor(const torch::nn::Module& module);
/// Numbers in all parameters of `module`.
CF_EXPORT int64_t parameter_count(const torch::nn::Module& module);

}  // namespace contraflow
