#include "contraflow/evaluation/noise_shares.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/evaluation/leaf_call.h"
#include "contraflow/log_det/log_det.h"
#include "contraflow/training/evaluation.h"
#include "contraflow/transforms/contractive_map.h"

namespace contraflow {
namespace {

/// Sums over rows and blocks of variances of log-determinants.
struct EstimatorNoise {
  double probe = 0.0;
  double roulette = 0.0;
};

double half_square(const at::Tensor& a, const at::Tensor& b) {
  return 0.5 * (a - b).to(at::kDouble).square().sum().item<double>();
}

/// One block at the point where a call found it.
class BlockNoise {
 public:
  BlockNoise(const TracedCall& call, const ContractiveMap& map)
      : map_(map),
        form_(call.inverse ? map.form().swapped() : map.form()),
        first_(call.context.rng.fork("noise")),
        second_(first_.fork("other")) {
    const at::Tensor& condition = call.context.condition;
    point_ = map.net()->linearize(hidden_rows(map.form(), call),
                                  condition.defined() ? condition.flatten(1) : condition);
  }

  void add_to(EstimatorNoise& out) const {
    const LogDetOptions& options = map_.log_det(Phase::kEvaluate);
    const at::Tensor one = value(options, first_), other = value(options, second_);
    const auto* roulette = std::get_if<RussianRoulette>(&options);
    if (roulette == nullptr) {
      out.probe += half_square(one, other);
      return;
    }
    const LogDetOptions series = AdaptiveSeries{
        .tolerance = 1e-3, .max_terms = 300, .probes = roulette->probes, .probe = roulette->probe};
    const at::Tensor whole = value(series, first_), other_whole = value(series, second_);
    out.probe += half_square(whole, other_whole);
    out.roulette += half_square(one, whole) + half_square(other, other_whole);
  }

 private:
  at::Tensor value(const LogDetOptions& options, const Rng& rng) const {
    const std::optional<TermLaw> law = map_.term_law(Phase::kEvaluate);
    const bool draws = law && std::holds_alternative<RussianRoulette>(options);
    return estimate_log_det(form_, *point_, map_.net()->bound(), options, rng,
                            /*with_gradient=*/false, draws ? &*law : nullptr)
        .value;
  }

  const ContractiveMap& map_;
  BlockForm form_;
  Rng first_, second_;
  std::unique_ptr<NetPoint> point_;
};

EstimatorNoise estimator_noise(const Flow& flow, const data::Batch& batch, const Rng& rng) {
  const data::Batch own = batch_to(batch, input_kind_of(flow));
  const Context context{.condition = own.condition,
                        .rng = rng.rows_from(own.first_row),
                        .hints = {.wants_log_det = false}};
  EstimatorNoise out;
  flow.transform()->trace(own.x, context, /*inverse=*/false, [&out](const TracedCall& call) {
    const ContractiveMap* map = call.transform.contractive();
    if (map != nullptr && call.transform.randomness(Phase::kEvaluate) != Randomness::kNone)
      BlockNoise(call, *map).add_to(out);
    return true;
  });
  return out;
}

bool has_noise_in_data(const Flow& flow) {
  const std::vector<Member> leaves = leaves_of(flow.transform());
  return std::any_of(leaves.begin(), leaves.end(), [](const Member& leaf) {
    return !leaf.transform->bijective() &&
           leaf.transform->randomness(Phase::kEvaluate) != Randomness::kNone;
  });
}

}  // namespace

NoiseShares noise_shares(const Flow& flow, const data::Batch& batch, const at::Tensor& variance,
                         const ScoreOptions& options) {
  const at::NoGradGuard no_grad;
  if (flow.randomness(Phase::kEvaluate) == Randomness::kNone) return {};
  if (flow.noise_only()) return {.dequantization = 1.0};
  const EstimatorNoise noise = estimator_noise(flow, batch, options.rng.fork("shares"));
  const double estimator = noise.probe + noise.roulette;
  const double all =
      has_noise_in_data(flow) ? std::max(variance.sum().item<double>(), estimator) : estimator;
  if (!(all > 0.0)) return {};
  return {.dequantization = (all - estimator) / all,
          .probe = noise.probe / all,
          .roulette = noise.roulette / all};
}

}  // namespace contraflow
