#include "contraflow/models/contractive.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/models/front.h"
#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/contractive_block.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMostExactTraining = 16;
constexpr int64_t kMostExactEvaluation = 64;

LogDetOptions training_estimator(const ContractiveOptions& o, const EventShape& event) {
  if (o.train_log_det) return *o.train_log_det;
  if (event.size() <= kMostExactTraining) return ExactLogDet{};
  return RussianRoulette{.law = RouletteLaw::kOptimal};
}

LogDetOptions evaluation_estimator(const ContractiveOptions& o, const EventShape& event) {
  if (o.eval_log_det) return *o.eval_log_det;
  if (event.size() <= kMostExactEvaluation) return ExactLogDet{};
  return RussianRoulette{.exact_terms = 20};
}

// The forms of one block: an implicit one has two.
std::vector<FormKind> forms_of(Family family) {
  switch (family) {
    case Family::kResidual:
      return {FormKind::kResidual};
    case Family::kInverseResidual:
      return {FormKind::kInverseResidual};
    case Family::kMonotone:
      return {FormKind::kMonotone};
    case Family::kImplicit:
      break;
  }
  return {FormKind::kResidual, FormKind::kInverseResidual};
}

void check_forms(const ContractiveOptions& o) {
  if (std::ssize(o.forms) > o.blocks) {
    fail<ConfigError>("model", "forms", c10::str("at most ", o.blocks, " forms, one per block"),
                      c10::str(o.forms.size(), " forms"),
                      "Raise model.blocks, or shorten the list.");
  }
  if (std::find(o.forms.begin(), o.forms.end(), FormKind::kCustom) != o.forms.end()) {
    fail<ConfigError>("model", "forms", "residual, inverse_residual or monotone", "'custom'",
                      "Build a FlowSpec with the matrix of each block, or set model.learn_form.");
  }
}

// Linear layers would take an image for a row of pixels: that is asked for in the data.
void check_event(const ContractiveOptions& o, const EventShape& event) {
  if (event.is_row() || !o.net.kernels.empty()) return;
  const bool image = event.sizes().size() == 3;
  fail<ConfigError>(
      "model", "net.kernels",
      (image ? "sides of convolutions, for " : "rows of numbers, not ") +
          ("events of shape " + event.text()),
      "a net of linear layers, which are for rows of numbers",
      image ? "Set model.net.kernels, one side for each linear layer, as [3, 1, 3] for two hidden "
              "widths, or data.flatten = true."
            : "Flatten each event to one row: data.flatten = true.");
}

template <class Options>
Json typed(const char* type, const Options& options) {
  Json out{{"type", type}};
  out.update(options_to_json(options));
  return out;
}

class SpecBuilder {
 public:
  SpecBuilder(const ContractiveOptions& options, const EventInfo& info)
      : o_(options), info_(info) {}

  void add_front() {
    transforms_ = front_transforms(info_, {.standardize = o_.standardize,
                                           .marginals = o_.marginals,
                                           .logit_alpha = o_.logit_alpha,
                                           .logit = o_.logit,
                                           .dequantization = o_.dequantization,
                                           .mass_table = o_.mass_table});
  }

  void add_blocks() {
    for (int64_t k = 0; k < o_.blocks; ++k) {
      if (o_.actnorm) add(typed("actnorm", ActNormOptions{.event = info_.event}));
      for (const FormKind form : forms_of_block(k)) add_block(form);
    }
    if (o_.actnorm) add(typed("actnorm", ActNormOptions{.event = info_.event}));
  }

  FlowSpec finish() {
    Json base = o_.base;
    if (base.is_string()) base = Json{{"type", base}};
    if (base.is_object() && !base.contains("event")) {
      base["event"] =
          info_.event.is_row() ? Json(info_.event.features()) : Json(info_.event.sizes());
    }
    const std::vector<ConditionScale> none;
    return {chain_spec(std::move(transforms_), o_.standardize ? info_.condition_scale : none),
            std::move(base)};
  }

 private:
  std::vector<FormKind> forms_of_block(int64_t k) const {
    if (o_.forms.empty()) return forms_of(o_.family);
    return {o_.forms[static_cast<size_t>(k % std::ssize(o_.forms))]};
  }

  void add(Json transform) { transforms_.push_back(std::move(transform)); }

  void add_block(FormKind form) {
    add(typed("contractive_block",
              ContractiveBlockOptions{.event = info_.event,
                                      .condition = info_.condition,
                                      .form = form,
                                      .learn_form = o_.learn_form,
                                      .net = o_.net,
                                      .train_log_det = training_estimator(o_, info_.event),
                                      .eval_log_det = evaluation_estimator(o_, info_.event),
                                      .solver = o_.solver,
                                      .train_tolerance = o_.train_tolerance,
                                      .tolerance = o_.tolerance,
                                      .backward_tolerance = o_.backward_tolerance,
                                      .seed = o_.seed * 1'000'003 + networks_++}));
  }

  const ContractiveOptions& o_;
  const EventInfo& info_;
  int64_t networks_ = 0;
  Json transforms_ = Json::array();
};

}  // namespace

FlowSpec contractive_spec(const ContractiveOptions& options, const EventInfo& info) {
  check_forms(options);
  check_event(options, info.event);
  SpecBuilder builder(options, info);
  builder.add_front();
  builder.add_blocks();
  return builder.finish();
}

}  // namespace contraflow
