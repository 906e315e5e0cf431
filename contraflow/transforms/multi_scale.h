#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

struct MultiScaleOptions {
  /// One transform for each scale, in the order data -> latent: mostly chains, of which all but the
  /// last end with a squeeze.
  nlohmann::ordered_json scales = nlohmann::ordered_json::array();
  /// After each scale but the last, the second half of the channels leaves for the latent; false:
  /// everything passes through all scales.
  bool factor_out = true;
  /// What the part that leaves goes through, one transform for each split, or none at all: an
  /// unconditional one, or one whose condition is the part that stays.
  nlohmann::ordered_json priors = nlohmann::ordered_json::array();
};

template <class Field>
void visit(MultiScaleOptions& o, Field&& field) {
  field("scales", o.scales,
        "A transform for each scale, from data to latent: a type with options.");
  field("factor_out", o.factor_out,
        "After each scale but the last half of the channels leaves for the latent.");
  field("priors", o.priors,
        "Transforms of what leaves, given what stays: one for each scale but the last, or none.");
}

/// Transforms at several scales, whose latent is one row of numbers:
///   y_1 = f_1(x),  (h_k, l_k) = halves of y_k,  y_(k+1) = f_(k+1)(h_k),
///   z = [p_1(l_1; h_1), p_2(l_2; h_2), ..., y_n],
/// l_k the second half of the channels, p_k the prior of that split, the identity where there is none.
/// With a standard normal base, p_k an affine map whose numbers depend on h_k is the density of what
/// leaves given what stays: base, temperature and samples know nothing of it.
///
/// Shapes     x: [B, event of the first scale], z: [B, D]: what left at each scale, in order, the
///            last scale last, each flattened channels first. log_det: [B]. context: the condition
///            goes to the scales that are conditional; they agree on its shape.
/// Types      those that all members take; outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det is the sum of the members', in nats.
/// Inverse    the last scale first; each part that left joins what stayed.
/// Log-det    as the members'; certified bias bounds add up.
/// Solve      error bounds as in a chain; those of parts are put together as lengths are. What
///            passes a conditional prior beside a part with an error has an infinite one: how a prior
///            moves with its condition has no bound.
/// Random     scale k draws from context.fork(2 k), its prior from context.fork(2 k + 1), the same
///            for forward and inverse.
/// State      prepare() runs in order, on the first rows that have 2^18 numbers together, or 64;
///            inputs are computed only up to the last member that needs data, with the members before
///            it already prepared.
/// Threads    const members may run concurrently; prepare() needs exclusive access.
/// Throws     ConfigError at construction (no scale, channels that cannot be halved, shapes that do
///            not fit); what the members throw.
/// Source     Dinh et al. 2017, Real NVP, section 3.6, arXiv:1605.08803; priors: Kingma and Dhariwal
///            2018, Glow, arXiv:1807.03039.
/// Example    MultiScale flow({chain_that_squeezes, chain_of_the_rest}, /*factor_out=*/true);
class CF_EXPORT MultiScale final : public Transform {
 public:
  using Options = MultiScaleOptions;
  static constexpr const char* kType = "multi_scale";
  static constexpr const char* kSummary = "scales of an image, half of it leaving after each";
  static constexpr const char* kSource = "Dinh et al. 2017, arXiv:1605.08803";

  MultiScale(std::vector<TransformPtr> scales, bool factor_out,
             std::vector<TransformPtr> priors = {});

  std::vector<int64_t> event_shape() const override { return scales_.front()->event_shape(); }
  std::vector<int64_t> latent_shape() const override;
  std::vector<int64_t> condition_shape() const override { return condition_shape_; }
  bool prepare_needs_data() const override;
  std::optional<double> forward_lipschitz() const override;
  std::optional<double> inverse_lipschitz() const override;

  nlohmann::ordered_json spec() const override;
  std::vector<Member> members() const override;

  /// Numbers of the latent that left at each scale, in order, the last scale's last.
  const std::vector<int64_t>& part_sizes() const { return part_sizes_; }

 private:
  /// How a pass calls member `name`; one whose value is undefined stops the pass.
  using Call = std::function<TransformOutput(const Member& member, const at::Tensor& input,
                                             const Context& context)>;
  /// What a pass has come to.
  struct Pass;

  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;
  void do_prepare(const at::Tensor& x, const Context& context) override;
  TransformOutput do_trace(const at::Tensor& x, const Context& context, bool inverse,
                           const TraceVisitor& visit, const std::string& name) const override;

  TransformOutput run_forward(const at::Tensor& x, const Context& context, const Call& call) const;
  TransformOutput run_inverse(const at::Tensor& z, const Context& context, const Call& call) const;
  bool leave(size_t k, Pass& pass, const Context& context, const Call& call) const;
  bool join(size_t k, const at::Tensor& part, Pass& pass, const Context& context,
            const Call& call) const;
  at::Tensor prepare_prior(size_t k, const at::Tensor& value, const Context& context);
  bool needs_data_after(size_t k) const;
  std::optional<double> lipschitz(bool inverse) const;

  void check_scale(size_t k);
  void check_priors() const;
  void check_prior(size_t k) const;
  bool splits_after(size_t k) const { return factor_out_ && k + 1 < scales_.size(); }
  std::vector<int64_t> half_of(size_t k) const;
  std::vector<int64_t> staying(size_t k) const;
  Context scale_context(size_t k, const Context& context) const;
  Context prior_context(size_t k, const Context& context, const at::Tensor& staying) const;
  Member scale(size_t k) const;
  Member prior(size_t k) const;

  std::vector<TransformPtr> scales_, priors_;
  bool factor_out_;
  std::vector<int64_t> condition_shape_;
  std::vector<int64_t> part_sizes_;
};

}  // namespace contraflow
