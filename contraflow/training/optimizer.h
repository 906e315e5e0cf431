#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/options_constraint.h"
#include "contraflow/training/flat_loops.h"
#include "contraflow/training/flat_parameters.h"

namespace contraflow {

/// How the learning rate goes on after the warm-up: over the steps of the run or, where it has a
/// budget of time, over that.
enum class Schedule { kConstant, kCosine };
constexpr auto enum_names(Schedule) {
  return std::array{std::pair{"constant", Schedule::kConstant},
                    std::pair{"cosine", Schedule::kCosine}};
}

struct ScheduleOptions {
  /// constant, or cosine: from 1 down to final_fraction along half a cosine.
  Schedule kind = Schedule::kConstant;
  /// The rate rises linearly over these first steps: step k of w has the fraction (k + 1)/w. None =
  /// a hundred, or a tenth of the run's steps where that is less.
  std::optional<int64_t> warmup_steps = 0;
  /// What the cosine ends at, as a fraction of the learning rate.
  double final_fraction = 0.0;
};

template <class Field>
void visit(ScheduleOptions& o, Field&& field) {
  field("kind", o.kind, "How the learning rate goes on after the warm-up.");
  field("warmup_steps", o.warmup_steps, at_least(0),
        "Steps over which the rate rises linearly; none = 100, at most a tenth of the steps.");
  field("final_fraction", o.final_fraction, closed_interval(0.0, 1.0),
        "Fraction of the learning rate that the cosine schedule ends at.");
}

/// The steps of the warm-up of a run of `steps` (0 = no limit of steps).
CF_EXPORT int64_t warmup_of(const ScheduleOptions& options, int64_t steps);

/// Fraction of the learning rate that step `step` (from 0) of `steps` uses. The last step of a
/// cosine has exactly final_fraction. `used` is the fraction that is used of a budget of time: the
/// cosine is as far as steps or time are, whichever is further; steps 0 = no limit of steps.
CF_EXPORT double schedule_factor(const ScheduleOptions& options, int64_t step, int64_t steps,
                                 double used = 0.0);

struct AdamOptions {
  /// Step size.
  double learning_rate = 1e-3;
  /// Decay of the mean of gradients.
  double beta1 = 0.9;
  /// Decay of the mean of squared gradients.
  double beta2 = 0.999;
  /// Added to the root of the mean square.
  double epsilon = 1e-8;
  /// Decay of every parameter towards zero.
  double weight_decay = 0.0;
  /// true (AdamW): the decay multiplies the parameter by 1 - rate * weight_decay and leaves the
  /// moments alone. false (L2): weight_decay * parameter is added to the gradient.
  bool decoupled = true;
};

template <class Field>
void visit(AdamOptions& o, Field&& field) {
  field("learning_rate", o.learning_rate, positive(), "Step size of Adam.");
  field("beta1", o.beta1, half_open_interval(0.0, 1.0), "Decay of the mean of gradients.");
  field("beta2", o.beta2, half_open_interval(0.0, 1.0), "Decay of the mean of squared gradients.");
  field("epsilon", o.epsilon, positive(), "Added to the root of the mean square.");
  field("weight_decay", o.weight_decay, non_negative(), "Decay of every parameter towards zero.");
  field("decoupled", o.decoupled,
        "Decay apart from the gradient (AdamW) rather than within it (L2).");
}

/// Adam and AdamW on flat buffers: one pass over memory per step, none per parameter.
///
/// Formula    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  p <- (1 - rate * decay) p;
///            p <- p - rate/(1 - b1^t) * m / (sqrt(v)/sqrt(1 - b2^t) + epsilon),  t = 1, 2, ...
/// Types      those of the buffers; the coefficients are computed in float64.
/// Cost       5,700 parameters: 4 us; 1e6: 0.9 ms on one core. Other devices: seven operations.
/// Threads    the same bits for any number of LibTorch's threads.
/// Throws     nothing of its own; check gradients first (gradient_norm()), non-finite ones spoil
///            the moments for good.
/// Source     Kingma and Ba 2015, arXiv:1412.6980; Loshchilov and Hutter 2019, arXiv:1711.05101.
class CF_EXPORT Adam {
 public:
  Adam(const FlatParameters& parameters, const AdamOptions& options);

  /// One update from the gradients in the flat buffers, at the given step size.
  void step(double learning_rate);

  const std::vector<at::Tensor>& first_moment() const { return first_; }
  const std::vector<at::Tensor>& second_moment() const { return second_; }
  int64_t steps() const { return steps_; }
  /// Number of updates that the moments hold; restoring the moments restores it too.
  void set_steps(int64_t steps) { steps_ = steps; }

 private:
  void update_by_loop(size_t buffer, const AdamCoefficients& c);
  void update_composed(size_t buffer, const AdamCoefficients& c);

  AdamOptions options_;
  std::vector<at::Tensor> values_, gradients_, first_, second_;
  int64_t steps_ = 0;
};

/// Euclidean norm of all gradients, accumulated in float64; the same bits for any number of
/// threads. Not finite exactly when an element is not: squares that overflow are scaled.
CF_EXPORT double gradient_norm(const FlatParameters& parameters);

/// Scales the gradients so that their norm is at most `max_norm`; `norm` is their norm now.
/// Clipping shrinks large gradients more than small ones: the mean of the clipped gradient is no
/// longer the gradient of the loss, so an unbiased log-determinant estimate becomes a biased one.
CF_EXPORT void clip_gradients(FlatParameters& parameters, double norm, double max_norm);

}  // namespace contraflow
