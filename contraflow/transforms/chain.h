#pragma once

#include <nlohmann/json.hpp>

#include "contraflow/core/column_info.h"
#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/lowerable.h"

namespace contraflow {

struct ChainOptions {
  /// Members in the order data -> latent, each {"type": ..., its options}.
  nlohmann::ordered_json transforms = nlohmann::ordered_json::array();
  /// Of the first numbers of the condition, before any member gets it; the others stay. Beyond 4
  /// scales a number grows like a logarithm.
  std::vector<ConditionScale> condition = {};
};

template <class Field>
void visit(ChainOptions& o, Field&& field) {
  field("transforms", o.transforms, "Members from data to latent, each a type with its options.");
  field("condition", o.condition, "Standardisation of the first numbers of the condition.");
}

/// {"type": "chain", "transforms": members, "condition": scales of the condition}.
CF_EXPORT nlohmann::ordered_json chain_spec(nlohmann::ordered_json members,
                                            std::vector<ConditionScale> condition = {});

/// Transforms one after another:  z = f_n(... f_2(f_1(x))).
///
/// Shapes     x: [B, event of the first], z: [B, latent of the last].  log_det: [B].
///            context: the condition, its first numbers standardised by ChainOptions::condition,
///            goes to the members that are conditional; they agree on its shape.
/// Types      those that all members take; outputs keep the type and device of x. Where the first
///            members are on the data side, x and the condition may be float64 in a float32 chain:
///            the other members get them in their own type, and the inverses of the first float64.
/// Direction  forward = data -> latent; log_det is the sum of the members'.
/// Inverse    the members' inverses in reverse order.
/// Log-det    as the members'; certified bias bounds add up.
/// Solve      error bound of member k = its own + its Lipschitz constant times the bound it
///            received; infinite where that constant is not known. It covers `value`; log_det is
///            that of the points actually visited.
/// Random     member k draws from context.fork(k), the same for forward and inverse.
/// State      prepare() runs in order; inputs are computed only up to the last member that needs
///            data, with the members before it already prepared. Of images a member behind others
///            gets some four million numbers at most, and a net 128.
/// Threads    const members may run concurrently; prepare() needs exclusive access.
/// Throws     ConfigError at construction (no member, shapes or condition sizes that do not fit);
///            what the members throw.
/// Source     none.
/// Example    Chain flow({std::make_shared<ActNorm>(ActNormOptions{.event = 2}), block});
class CF_EXPORT Chain final : public Transform, public Lowerable {
 public:
  using Options = ChainOptions;
  static constexpr const char* kType = "chain";
  static constexpr const char* kSummary = "transforms one after another";
  static constexpr const char* kSource = "";

  explicit Chain(std::vector<TransformPtr> members, std::vector<ConditionScale> condition = {});

  std::vector<int64_t> event_shape() const override { return members_.front()->event_shape(); }
  std::vector<int64_t> latent_shape() const override { return members_.back()->latent_shape(); }
  std::vector<int64_t> condition_shape() const override { return condition_shape_; }
  bool prepare_needs_data() const override;
  std::optional<double> forward_lipschitz() const override;
  std::optional<double> inverse_lipschitz() const override;

  nlohmann::ordered_json spec() const override;
  std::vector<Member> members() const override;
  bool data_side() const override { return members_.front()->data_side(); }

  const Lowerable* lowerable() const override { return this; }
  bool lower(TileLowering& to, const Context& context, bool inverse) const override;
  std::unique_ptr<LoweredTail> lower_tail(const at::Tensor& x,
                                          const Context& context) const override;

 private:
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;
  void do_prepare(const at::Tensor& x, const Context& context) override;
  TransformOutput do_trace(const at::Tensor& x, const Context& context, bool inverse,
                           const TraceVisitor& visit, const std::string& name) const override;
  TransformOutput run(const at::Tensor& x, const Context& context, bool inverse) const;
  void prepare_without_data(const Context& context);
  void check_condition_scales() const;
  Context standardised(const Context& context) const;
  Context member_context(size_t k, const Context& context) const;
  at::Tensor input_of(size_t k, const at::Tensor& value, bool inverse) const;
  std::optional<TileLowering> lowered_from(size_t k, const at::Tensor& x,
                                           const Context& context) const;

  std::vector<TransformPtr> members_;
  std::vector<int64_t> condition_shape_;
  std::vector<ConditionScale> condition_;
  at::Tensor condition_center_, condition_scale_;  ///< [condition_.size()], float64
};

}  // namespace contraflow
