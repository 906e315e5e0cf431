#include "contraflow/models/model_options.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/contractive_block.h"
#include "contraflow/transforms/dequantize.h"
#include "contraflow/transforms/logit.h"
#include "contraflow/transforms/standardize.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMostExactTraining = 16;
constexpr int64_t kMostExactEvaluation = 64;

LogDetOptions training_estimator(const ModelOptions& o, int64_t dim) {
  if (o.train_log_det) return *o.train_log_det;
  if (dim <= kMostExactTraining) return ExactLogDet{};
  return RussianRoulette{.law = RouletteLaw::kOptimal};
}

LogDetOptions evaluation_estimator(const ModelOptions& o, int64_t dim) {
  if (o.eval_log_det) return *o.eval_log_det;
  if (dim <= kMostExactEvaluation) return ExactLogDet{};
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

void check_forms(const ModelOptions& o) {
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

template <class Options>
Json typed(const char* type, const Options& options) {
  Json out{{"type", type}};
  out.update(options_to_json(options));
  return out;
}

class SpecBuilder {
 public:
  SpecBuilder(const ModelOptions& options, int64_t dim, int64_t condition)
      : o_(options), dim_(dim), condition_(condition) {}

  void add_preprocessing(const ColumnKind& columns) {
    const bool integers = columns.levels > 0;
    if (integers)
      add(typed("dequantize", DequantizeOptions{.event = dim_, .levels = {columns.levels}}));
    if (integers ? o_.logit : !columns.bounds.empty()) {
      LogitOptions logit{.event = dim_, .alpha = o_.logit_alpha};
      if (!integers) {
        logit.lower = {columns.bounds.at(0)};
        logit.upper = {columns.bounds.at(1)};
      }
      add(typed("logit", logit));
    }
    if (o_.standardize) add(typed("standardize", StandardizeOptions{.event = dim_}));
  }

  void add_blocks() {
    for (int64_t k = 0; k < o_.blocks; ++k) {
      if (o_.actnorm) add(typed("actnorm", ActNormOptions{.event = dim_}));
      for (const FormKind form : forms_of_block(k)) add_block(form);
    }
    if (o_.actnorm) add(typed("actnorm", ActNormOptions{.event = dim_}));
  }

  FlowSpec finish() {
    Json base = o_.base;
    if (!base.contains("event")) base["event"] = dim_;
    return {chain_spec(std::move(transforms_)), std::move(base)};
  }

 private:
  std::vector<FormKind> forms_of_block(int64_t k) const {
    if (o_.forms.empty()) return forms_of(o_.family);
    return {o_.forms[static_cast<size_t>(k % std::ssize(o_.forms))]};
  }

  void add(Json transform) { transforms_.push_back(std::move(transform)); }

  void add_block(FormKind form) {
    add(typed("contractive_block",
              ContractiveBlockOptions{.event = dim_,
                                      .condition = condition_,
                                      .form = form,
                                      .learn_form = o_.learn_form,
                                      .net = o_.net,
                                      .train_log_det = training_estimator(o_, dim_),
                                      .eval_log_det = evaluation_estimator(o_, dim_),
                                      .solver = o_.solver,
                                      .train_tolerance = o_.train_tolerance,
                                      .tolerance = o_.tolerance,
                                      .backward_tolerance = o_.backward_tolerance,
                                      .seed = o_.seed * 1'000'003 + networks_++}));
  }

  const ModelOptions& o_;
  int64_t dim_;
  int64_t condition_;
  int64_t networks_ = 0;
  Json transforms_ = Json::array();
};

}  // namespace

FlowSpec model_spec(const ModelOptions& options, int64_t dim, int64_t condition,
                    const ColumnKind& columns) {
  check_forms(options);
  SpecBuilder builder(options, dim, condition);
  builder.add_preprocessing(columns);
  builder.add_blocks();
  return builder.finish();
}

}  // namespace contraflow
