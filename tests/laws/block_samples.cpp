#include "tests/laws/law_samples.h"

#include <algorithm>
#include <utility>

namespace contraflow::laws {
namespace {

ContractiveBlockOptions with_estimator(ContractiveBlockOptions o, const LogDetOptions& estimator) {
  o.train_log_det = o.eval_log_det = estimator;
  return o;
}

ContractiveBlockOptions sequential(ContractiveBlockOptions o, std::vector<int64_t> hidden) {
  o.net.kind = NetKind::kSequential;
  o.net.hidden = std::move(hidden);
  return o;
}

ContractiveBlockOptions given(ContractiveBlockOptions o, const EventShape& condition) {
  o.condition = condition;
  return o;
}

ContractiveBlockOptions learned(FormKind start, int64_t features) {
  ContractiveBlockOptions o = tight_block(start, Activation::kClipSwish, features);
  o.learn_form = true;
  return o;
}

ContractiveBlockOptions with_norms(FormKind form, NormOrder order) {
  ContractiveBlockOptions o = sequential(tight_block(form, Activation::kLipSwish, 3), {6, 5});
  o.net.norm_order = order;
  return o;
}

// Two hidden layers of convolutions with the kernels 3, 1 and 3.
ContractiveBlockOptions convolutional(FormKind form, const EventShape& image, ConvPadding padding) {
  ContractiveBlockOptions o = sequential(tight_block(form, Activation::kLipSwish, image), {4, 3});
  o.net.kernels = {3, 1, 3};
  o.net.padding = padding;
  o.net.activate_input = true;
  return o;
}

LawSample estimated(std::string name, const ContractiveBlockOptions& options) {
  return law_sample(std::move(name), options, {}, /*exact_log_det=*/false);
}

std::vector<LawSample> exact_samples() {
  ContractiveBlockOptions active =
      sequential(tight_block(FormKind::kResidual, Activation::kLipSwish, 3), {12, 12});
  active.net.activate_input = true;
  ContractiveBlockOptions custom = tight_block(FormKind::kCustom, Activation::kTanh, 2);
  custom.matrix = {1.0, -0.6, 0.9, 0.7};
  ContractiveBlockOptions mixed = with_norms(FormKind::kInverseResidual, NormOrder::kGiven);
  mixed.net.norm_orders = {1, 2, 0};
  ContractiveBlockOptions dense_image =
      tight_block(FormKind::kMonotone, Activation::kCPila, {2, 2, 3});
  dense_image.net.growth = 4;
  dense_image.net.kernels = {3, 3, 1};
  return {
      law_sample("inverse_residual",
                 tight_block(FormKind::kInverseResidual, Activation::kClipSwish, 2)),
      law_sample("monotone", tight_block(FormKind::kMonotone, Activation::kCPila, 3)),
      law_sample("one_dimension", tight_block(FormKind::kMonotone, Activation::kSin, 1)),
      law_sample("sequential", active),
      law_sample("custom", custom),
      law_sample("conditional", given(tight_block(FormKind::kMonotone, Activation::kElu, 2), 3)),
      law_sample("learned", learned(FormKind::kMonotone, 2)),
      law_sample("learned_inverse_residual", learned(FormKind::kInverseResidual, 1)),
      law_sample("learned_conditional", given(learned(FormKind::kResidual, 3), 2)),
      law_sample("norms_one", with_norms(FormKind::kMonotone, NormOrder::kOne)),
      law_sample("norms_infinity", with_norms(FormKind::kInverseResidual, NormOrder::kInfinity)),
      law_sample("norms_mixed", mixed),
      law_sample("norms_learned", with_norms(FormKind::kResidual, NormOrder::kLearned)),
      law_sample("norms_shared", with_norms(FormKind::kMonotone, NormOrder::kLearnedShared)),
      law_sample("image", tight_block(FormKind::kMonotone, Activation::kClipSwish, {2, 3, 3})),
      law_sample("image_conditional",
                 given(tight_block(FormKind::kResidual, Activation::kElu, {1, 2, 2}), {2, 2, 2})),
      law_sample("convolutions", convolutional(FormKind::kResidual, {1, 3, 3}, ConvPadding::kZero)),
      law_sample(
          "convolutions_conditional",
          given(convolutional(FormKind::kInverseResidual, {2, 2, 3}, ConvPadding::kCircular), 2)),
      law_sample("convolutions_dense", dense_image),
  };
}

std::vector<LawSample> estimated_samples() {
  const auto make = [](FormKind form, Activation activation, const EventShape& event,
                       const LogDetOptions& estimator) {
    return with_estimator(tight_block(form, activation, event), estimator);
  };
  return {
      estimated("learned_roulette",
                with_estimator(learned(FormKind::kMonotone, 3), RussianRoulette{})),
      estimated("roulette",
                make(FormKind::kResidual, Activation::kClipSwish, 3, RussianRoulette{})),
      estimated("optimal", make(FormKind::kMonotone, Activation::kClipSwish, 3,
                                RussianRoulette{.law = RouletteLaw::kOptimal})),
      estimated("truncated",
                make(FormKind::kInverseResidual, Activation::kSoftplus, 2, TruncatedSeries{})),
      estimated("colored", make(FormKind::kResidual, Activation::kTanh, 3,
                                TruncatedSeries{.terms = 6, .probes = 2, .colors = {0, 1, 0}})),
      estimated("adaptive", make(FormKind::kMonotone, Activation::kCPila, 2, AdaptiveSeries{})),
      estimated("krylov",
                make(FormKind::kInverseResidual, Activation::kElu, 3, KrylovQuadrature{})),
  };
}

}  // namespace

ContractiveBlockOptions tight_block(FormKind form, Activation activation, const EventShape& event) {
  const std::vector<TransformEntry>& all = transform_registry();
  const auto entry = std::find_if(all.begin(), all.end(), [](const TransformEntry& e) {
    return e.name == ContractiveBlock::kType;
  });
  auto o = options_from_json<ContractiveBlockOptions>(entry->samples.front().options, "law sample");
  o.event = event;
  o.form = form;
  o.net.activation = activation;
  return o;
}

std::vector<LawSample> block_samples() {
  std::vector<LawSample> out = exact_samples();
  for (LawSample& sample : estimated_samples()) out.push_back(std::move(sample));
  return out;
}

}  // namespace contraflow::laws
