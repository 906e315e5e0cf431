#pragma once

#include <nlohmann/json.hpp>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/lowerable.h"

namespace contraflow {

struct InverseOptions {
  /// The transform to turn round: {"type": ..., its options}.
  nlohmann::ordered_json transform = nlohmann::ordered_json::object();
};

template <class Field>
void visit(InverseOptions& o, Field&& field) {
  field("transform", o.transform, "The transform to turn round: type and options.");
}

/// Another transform with its directions swapped.
///
/// Shapes     x: [B, inner latent_shape()], z: [B, inner event_shape()].  context: the inner one's.
/// Direction  forward = inner inverse, with its log_det and bounds.
/// State      prepare(x) prepares the inner transform with inner.inverse(x), where it needs data.
/// Threads    as the inner transform.
/// Throws     as the inner transform.
/// Source     none.
/// Example    Inverse map(std::make_shared<ActNorm>(ActNormOptions{.event = 2}));
class CF_EXPORT Inverse final : public Transform, public Lowerable {
 public:
  using Options = InverseOptions;
  static constexpr const char* kType = "inverse";
  static constexpr const char* kSummary = "another transform with its directions swapped";
  static constexpr const char* kSource = "";

  explicit Inverse(TransformPtr inner);

  std::vector<int64_t> event_shape() const override { return inner_->latent_shape(); }
  std::vector<int64_t> latent_shape() const override { return inner_->event_shape(); }
  std::vector<int64_t> condition_shape() const override { return inner_->condition_shape(); }
  bool prepare_needs_data() const override { return inner_->prepare_needs_data(); }
  std::optional<double> forward_lipschitz() const override { return inner_->inverse_lipschitz(); }
  std::optional<double> inverse_lipschitz() const override { return inner_->forward_lipschitz(); }

  const Lowerable* lowerable() const override { return inner_->lowerable() ? this : nullptr; }
  bool lower(TileLowering& to, const Context& context, bool inverse) const override {
    return lower_transform(*inner_, to, context, !inverse);
  }

  nlohmann::ordered_json spec() const override;
  std::vector<Member> members() const override { return {{"inner", inner_}}; }

 private:
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;
  void do_prepare(const at::Tensor& x, const Context& context) override;
  TransformOutput do_trace(const at::Tensor& x, const Context& context, bool inverse,
                           const TraceVisitor& visit, const std::string& name) const override;

  TransformPtr inner_;
};

}  // namespace contraflow
