#include "contraflow/transforms/block_lowering.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "contraflow/log_det/roulette.h"
#include "contraflow/log_det/series.h"
#include "contraflow/transforms/lowering_cuda.h"

namespace contraflow {
namespace {

// What each estimator asks of the tile kernels; see estimate_log_det().
struct LowerLogDet {
  const BlockRelation& relation;
  const Rng& rng;
  TileLowering& to;
  kernels::TileBlock& block;

  void operator()(const ExactLogDet& /*options*/) const { block.exact = true; }

  void operator()(const TruncatedSeries& options) const {
    begin_series(relation.form, draw_probes(options, to.batch, relation.net->dim(), to.options,
                                            rng.fork("probes")));
    for (int64_t j = 1; j <= options.terms; ++j) add_term(relation.form, j, 1.0);
    block.series.tail_factor = tail_bound_factor(
        relation.form, power_of_term(relation.form, options.terms), relation.net->lipschitz());
    to.biased = true;
  }

  // Not for the tile kernels: see tiles_estimate().
  void operator()(const AdaptiveSeries& /*options*/) const {}
  void operator()(const KrylovQuadrature& /*options*/) const {}

  void operator()(const RussianRoulette& options) const {
    const TermLaw law =
        relation.law ? *relation.law : term_law(options, relation.form, relation.net->lipschitz());
    const BlockForm shifted = relation.form.shifted(law.shift);
    begin_series(shifted, draw_probes(options.probe, options.probes, to.batch, relation.net->dim(),
                                      to.options, rng.fork("probes")));
    block.series.shift = law.shift;
    const at::Tensor counts = draw_term_counts(law.survival, to.batch, rng.fork("roulette"));
    const auto most = counts.max().item<int64_t>();
    for (int64_t j = 1; j <= most; ++j)
      add_term(shifted, j, 1.0 / law.survival[static_cast<size_t>(j - 1)]);
    block.series.counts = counts.const_data_ptr<int64_t>();
    to.kept.push_back(counts);
  }

  void begin_series(const BlockForm& form, const at::Tensor& drawn) const {
    block.exact = false;
    block.series.probe_count = drawn.size(0);
    block.series.constant =
        static_cast<double>(relation.net->dim()) * std::log(std::abs(form.c / form.a));
    block.series.probes = drawn.const_data_ptr();
    to.kept.push_back(drawn);
  }

  void add_term(const BlockForm& form, int64_t term, double weight) const {
    const int power = power_of_term(form, term);
    const double coefficient = series_coefficient(form, power) * weight;
    block.series.terms.push_back({power, coefficient, coefficient * power});
  }
};

// A series whose rows end where their own bound says, and bases of vectors, run composed.
bool tiles_estimate(const BlockRelation& relation) {
  constexpr int64_t kMostExact = 64;  // beyond, LU of the whole batch is faster than by lanes
  const LogDetOptions& o = relation.log_det;
  if (std::holds_alternative<AdaptiveSeries>(o) || std::holds_alternative<KrylovQuadrature>(o))
    return false;
  return !std::holds_alternative<ExactLogDet>(o) || relation.net->dim() <= kMostExact;
}

// Whether a block without its log-determinant needs no tangents. The exact estimator's Jacobian is
// kept where it solves the adjoint as well; the card's gradients are taken on the host.
bool runs_on_values(const BlockRelation& relation, const TileLowering& to) {
  const bool solves_by_it =
      relation.form.b != 0 && std::holds_alternative<ExactLogDet>(relation.log_det);
  return to.options.device().is_cpu() && !solves_by_it;
}

}  // namespace

bool lower_relation(const BlockRelation& relation, const Context& context, TileLowering& to) {
  if (context.condition.defined() && !to.takes(context.condition)) return false;
  const TileLowering::Mark mark = to.mark();
  const BlockForm& f = relation.form;
  kernels::TileBlock block;
  NetLowering net(relation.net->dim(), to.program.gradient_size, to.tasks, to.late_tasks,
                  to.parameters);
  // The kernels certify solves and tails in the Euclidean norm, and compute y with G eliminated. A
  // net in another norm may run where nothing has to be certified.
  const bool certifies = f.b != 0 || !std::holds_alternative<ExactLogDet>(relation.log_det);
  const bool fits = (relation.net->norm_order() == 2.0 || !certifies) && tiles_estimate(relation) &&
                    (f.b == 0 || f.eliminates(relation.net->lipschitz()));
  const bool lowered = fits && lower_net(*relation.net, net) && net.finish(block.net) &&
                       suits_device(block.net, f.b != 0, to);
  const bool one_type =
      std::all_of(to.parameters.begin() + static_cast<std::ptrdiff_t>(mark.parameters),
                  to.parameters.end(), [&](const at::Tensor& p) {
                    return p.scalar_type() == c10::typeMetaToScalarType(to.options.dtype());
                  });
  if (!lowered || !one_type) {
    to.reset(mark);
    return false;
  }
  to.program.gradient_size = net.gradient_end();
  block.a = f.a;
  block.b = f.b;
  block.c = f.c;
  block.d = f.d;
  block.kappa = relation.net->lipschitz();
  block.tolerance = relation.tolerance;
  block.backward_tolerance = relation.backward_tolerance;
  block.to_rounding = relation.to_rounding;
  block.memory = relation.solver.method == SolverMethod::kAnderson ? relation.solver.memory : 0;
  block.max_iterations = relation.solver.max_iterations;
  block.lipschitz = f.lipschitz(block.kappa) * relation.net->euclidean_factor();
  if (context.hints.wants_log_det || !runs_on_values(relation, to)) {
    std::visit(LowerLogDet{relation, context.rng, to, block}, relation.log_det);
  } else {
    block.exact = false;  // a series of no probes: no tangent is carried
    block.series.probe_count = 0;
  }
  if (net.conditional()) to.take(context.condition);
  to.solves = to.solves || block.solves();
  to.owners.push_back(relation.net);
  to.program.dim = block.net.dim;
  to.program.steps.emplace_back(std::move(block));
  ++to.blocks;
  return true;
}

}  // namespace contraflow
