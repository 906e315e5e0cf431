#include "contraflow/models/model_options.h"

#include <nlohmann/json.hpp>

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
      add(typed("dequantize", DequantizeOptions{.dim = dim_, .levels = {columns.levels}}));
    if (integers ? o_.logit : !columns.bounds.empty()) {
      LogitOptions logit{.dim = dim_, .alpha = o_.logit_alpha};
      if (!integers) {
        logit.lower = {columns.bounds.at(0)};
        logit.upper = {columns.bounds.at(1)};
      }
      add(typed("logit", logit));
    }
    if (o_.standardize) add(typed("standardize", StandardizeOptions{.dim = dim_}));
  }

  void add_blocks() {
    for (int64_t k = 0; k < o_.blocks; ++k) {
      if (o_.actnorm) add(typed("actnorm", ActNormOptions{.dim = dim_}));
      switch (o_.family) {
        case Family::kResidual:
          add_block(FormKind::kResidual);
          break;
        case Family::kInverseResidual:
          add_block(FormKind::kInverseResidual);
          break;
        case Family::kMonotone:
          add_block(FormKind::kMonotone);
          break;
        case Family::kImplicit:
          add_block(FormKind::kResidual);
          add_block(FormKind::kInverseResidual);
          break;
      }
    }
    if (o_.actnorm) add(typed("actnorm", ActNormOptions{.dim = dim_}));
  }

  FlowSpec finish() {
    Json base = o_.base;
    if (!base.contains("dim")) base["dim"] = dim_;
    return {std::move(transforms_), std::move(base)};
  }

 private:
  void add(Json transform) { transforms_.push_back(std::move(transform)); }

  void add_block(FormKind form) {
    add(typed("contractive_block",
              ContractiveBlockOptions{.dim = dim_,
                                      .condition = condition_,
                                      .form = form,
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
  SpecBuilder builder(options, dim, condition);
  builder.add_preprocessing(columns);
  builder.add_blocks();
  return builder.finish();
}

}  // namespace contraflow
