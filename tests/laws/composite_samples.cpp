#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/contractive_block.h"
#include "contraflow/transforms/inverse.h"
#include "tests/laws/law_samples.h"

namespace contraflow::laws {
namespace {

using Json = nlohmann::ordered_json;

Json block(FormKind form, const EventShape& event = 2, const EventShape& condition = {}) {
  ContractiveBlockOptions o = tight_block(form, Activation::kClipSwish, event);
  o.condition = condition;
  return with_type("contractive_block", options_to_json(o));
}

Json learned_block() {
  ContractiveBlockOptions o = tight_block(FormKind::kMonotone, Activation::kClipSwish, 2);
  o.learn_form = true;
  return with_type("contractive_block", options_to_json(o));
}

Json roulette_block(FormKind form) {
  ContractiveBlockOptions o = tight_block(form, Activation::kClipSwish, 2);
  o.train_log_det = o.eval_log_det = RussianRoulette{};
  return with_type("contractive_block", options_to_json(o));
}

Json actnorm() { return {{"type", "actnorm"}, {"event", 2}}; }

Json chain_of(Json members) { return {{"type", "chain"}, {"transforms", std::move(members)}}; }

Json inverse_of(Json member) { return {{"type", "inverse"}, {"transform", std::move(member)}}; }

}  // namespace

std::vector<LawSample> chain_samples() {
  const Json inner = chain_of(Json::array({actnorm(), block(FormKind::kResidual)}));
  const Json nested = Json::array(
      {inner, inverse_of(chain_of(Json::array({block(FormKind::kMonotone), actnorm()})))});
  const Json roulette = Json::array(
      {actnorm(),
       inverse_of(chain_of(Json::array({roulette_block(FormKind::kResidual), actnorm()})))});
  const Json conditional = Json::array(
      {block(FormKind::kMonotone, 2, 3), actnorm(), inverse_of(block(FormKind::kResidual, 2, 3))});
  const Json image =
      Json::array({{{"type", "dequantize"}, {"event", {1, 4, 4}}, {"levels", {17}}},
                   {{"type", "logit"}, {"event", {1, 4, 4}}},
                   {{"type", "squeeze"}, {"event", {1, 4, 4}}},
                   chain_of(Json::array({{{"type", "actnorm"}, {"event", {4, 2, 2}}},
                                         inverse_of(block(FormKind::kResidual, {4, 2, 2}))}))});
  return {
      law_sample("nested", ChainOptions{nested}),
      law_sample("nested_roulette", ChainOptions{roulette}, {}, /*exact_log_det=*/false),
      law_sample("nested_conditional", ChainOptions{conditional}),
      law_sample("image", ChainOptions{image}, {InputKind::kInteger, 0, 16}),
  };
}

std::vector<LawSample> inverse_samples() {
  return {
      law_sample("residual", InverseOptions{block(FormKind::kResidual)}),
      law_sample("monotone", InverseOptions{block(FormKind::kMonotone)}),
      law_sample("learned", InverseOptions{learned_block()}),
      law_sample("conditional", InverseOptions{block(FormKind::kResidual, 2, 2)}),
      law_sample("twice", InverseOptions{inverse_of(block(FormKind::kInverseResidual))}),
      law_sample("roulette", InverseOptions{roulette_block(FormKind::kMonotone)}, {},
                 /*exact_log_det=*/false),
      law_sample("image", InverseOptions{{{"type", "actnorm"}, {"event", {3, 4, 4}}}}),
  };
}

std::vector<LawSample> image_samples(std::string_view entry) {
  const auto both = [](const Json& more, InputDomain domain) {
    std::vector<LawSample> out;
    for (const EventShape& event : {EventShape{2, 3, 3}, EventShape{3, 4, 4}}) {
      Json options = {{"event", event.sizes()}};
      options.update(more);
      out.push_back({"image" + std::to_string(event.features()), options, domain, true});
    }
    return out;
  };
  if (entry == "actnorm" || entry == "batch_norm" || entry == "scale" || entry == "standardize") {
    return both(Json::object(), {});
  }
  if (entry == "logit") return both(Json::object(), {InputKind::kBounded, 0.0, 1.0});
  const InputDomain levels{InputKind::kInteger, 0, 16};
  if (entry == "dequantize") return both({{"levels", {17}}}, levels);
  if (entry == "marginal_dequantize") {
    std::vector<LawSample> out = both({{"levels", {17}}}, levels);
    for (const char* table : {"pixel", "shared"}) {
      const Json options{{"event", {2, 3, 3}}, {"levels", {17}}, {"table", table}};
      out.push_back({std::string("image_") + table, options, levels, true});
    }
    return out;
  }
  return {};
}

std::vector<LawSample> samples_of(const TransformEntry& entry) {
  std::vector<LawSample> out = entry.samples;
  const auto add = [&out](std::vector<LawSample> more) {
    for (LawSample& sample : more) out.push_back(std::move(sample));
  };
  add(image_samples(entry.name));
  if (entry.name == "contractive_block") add(block_samples());
  if (entry.name == "chain") add(chain_samples());
  if (entry.name == "inverse") add(inverse_samples());
  return out;
}

}  // namespace contraflow::laws
