#include "contraflow/transforms/block_relation.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "contraflow/core/defined.h"
#include "contraflow/core/error.h"
#include "contraflow/log_det/exact.h"

namespace contraflow {
namespace {

// The error that arithmetic of this roundoff can certify at points of this size, whatever was asked
// for.
at::Tensor resolvable_error(const at::Tensor& points, const LipschitzBound& contraction,
                            double roundoff) {
  const auto d = static_cast<double>(points.size(1));
  const double factor = 32 * roundoff * std::pow(d, std::max(0.5, 1 / contraction.order)) /
                        (1 - contraction.constant) *
                        norm_ratio(contraction.order, 2.0, points.size(1));
  return (1 + row_norm(points, contraction.order)) * factor;
}

// One map in both arithmetics of a net; `reduced` is null where there is one only.
struct SolveMaps {
  FixedPointMap working;
  FixedPointMap reduced;
};

// Where products of reduced precision lead from `start`: to a residual of about their rounding, from
// where working ones go on. No promise rests on it.
at::Tensor first_part(const BlockRelation& r, const SolveMaps& maps, const at::Tensor& start,
                      const LipschitzBound& contraction, double wanted) {
  if (!maps.reduced) return start;
  const double size = row_norm(start, contraction.order).mean().item<double>();
  const double reached =
      r.net->reduced_roundoff(start.scalar_type()) * (1 + size) / (1 - contraction.constant);
  if (!std::isfinite(reached)) return start;
  return solve_fixed_point(maps.reduced, start, contraction, std::max(wanted, reached), r.solver)
      .value;
}

// A solve to `wanted`, or to what the net's working arithmetic resolves where that is more: the bound
// says which.
Solution certified_solve(const char* where, const BlockRelation& r, const SolveMaps& maps,
                         const at::Tensor& from, const LipschitzBound& contraction, double wanted) {
  const FixedPointMap& map = maps.working;
  const at::Tensor start = first_part(r, maps, from, contraction, wanted);
  const double roundoff = r.net->unit_roundoff(start.scalar_type());
  const double floor = resolvable_error(start, contraction, roundoff).max().item<double>();
  const double tolerance = std::isfinite(floor) ? std::max(wanted, floor) : wanted;
  Solution solution = solve_fixed_point(map, start, contraction, tolerance, r.solver, roundoff);
  if (solution.report.status == SolveStatus::kStalled) {
    const at::Tensor resolvable = resolvable_error(solution.value, contraction, roundoff);
    const at::Tensor reached = solution.report.error_bound <= resolvable.clamp_min(tolerance);
    if (reached.all().item<bool>()) return solution;
  }
  solution.report.require_converged(where, tolerance);
  return solution;
}

struct Hidden {
  at::Tensor w;
  at::Tensor error_bound;
};

// w with  A w + B G(w) = x.
Hidden solve_hidden(const BlockRelation& r, const at::Tensor& x, const at::Tensor& condition) {
  const BlockForm& f = r.form;
  if (f.b == 0) return {x / f.a, {}};
  const LipschitzBound contraction{std::abs(f.b / f.a) * r.net->lipschitz(), r.net->norm_order()};
  // An error of w reaches y times error_gain(). Where that is next to nothing (A D near B C), w is
  // still wanted for itself: the log-determinant and the gradients are taken there.
  const double wanted =
      r.tolerance * std::min(1 / f.error_gain(r.net->lipschitz()), 1 / std::abs(f.a));
  const at::Tensor scaled = x / f.a;
  const auto map_of = [&](NetMap g) -> FixedPointMap {
    return [&scaled, &f, g = std::move(g)](const at::Tensor& w, const at::Tensor& rows) {
      const at::Tensor right = rows.defined() ? scaled.index_select(0, rows) : scaled;
      return at::add(right, g(w, rows), -f.b / f.a);
    };
  };
  SolveMaps maps{map_of(r.net->map(condition)), {}};
  if (r.net->has_reduced_products(x.scalar_type()))
    maps.reduced = map_of(r.net->reduced_map(condition));
  const Solution solution =
      certified_solve("ContractiveBlock", r, maps, scaled, contraction, wanted);
  return {solution.value, solution.report.error_bound};
}

// lambda with  (A I + B J)^T lambda = right.
at::Tensor solve_adjoint(const BlockRelation& r, const RelationResult& saved, const NetPoint& point,
                         const at::Tensor& right) {
  const BlockForm& f = r.form;
  if (f.b == 0) return right / f.a;
  if (saved.log_det.jac.defined()) return solve_transposed(saved.log_det.jac, f.a, f.b, right);
  // Rows are scaled to length 1, so that one tolerance is a relative one for each.
  const at::Tensor length = at::linalg_vector_norm(right, 2, at::IntArrayRef{1}, true)
                                .clamp_min(std::numeric_limits<float>::min());
  const at::Tensor unit = right / length / f.a;
  // J^T contracts in the dual norm.
  const LipschitzBound contraction{std::abs(f.b / f.a) * r.net->lipschitz(),
                                   dual_order(r.net->norm_order())};
  const auto map_of = [&](const NetPoint& at_w) -> FixedPointMap {
    return [&unit, &f, &at_w](const at::Tensor& lambda, const at::Tensor& rows) {
      const auto picked = rows.defined() ? at_w.select(rows) : nullptr;
      const at::Tensor back = (picked ? *picked : at_w).vjp(lambda.unsqueeze(0)).squeeze(0);
      return at::add(rows.defined() ? unit.index_select(0, rows) : unit, back, -f.b / f.a);
    };
  };
  const auto reduced = point.reduced();
  SolveMaps maps{map_of(point), {}};
  if (reduced) maps.reduced = map_of(*reduced);
  return certified_solve("ContractiveBlock.backward", r, maps, unit, contraction,
                         r.backward_tolerance)
             .value *
         length;
}

// With G = point.value() at w, y_bar and c as in relation_gradients():  dy/d(D/C) = C G at fixed w,
// and A w + B G(w) = x moves w so that the loss changes by -lambda . A G for each unit of B/A.
at::Tensor ratio_gradients(const BlockForm& form, const NetPoint& point, const at::Tensor& lambda,
                           const at::Tensor& y_bar, const at::Tensor& c,
                           const at::Tensor& log_det_ratios) {
  const at::Tensor g = point.value();
  const at::Tensor below = (lambda * g).sum() * -form.a;
  const at::Tensor above = y_bar.defined() ? (y_bar * g).sum() * form.c : at::zeros_like(below);
  const at::Tensor of_value = at::stack({below, above});
  return c.defined() ? of_value + log_det_ratios.mv(c) : of_value;
}

}  // namespace

at::Tensor hidden_point(const BlockRelation& relation, const at::Tensor& x,
                        const at::Tensor& condition) {
  const at::NoGradGuard guard;
  return solve_hidden(relation, x.detach(), condition).w;
}

RelationResult evaluate_relation(const BlockRelation& relation, const at::Tensor& x,
                                 const at::Tensor& condition, const Rng& rng, RelationParts parts) {
  at::NoGradGuard guard;
  const BlockForm& f = relation.form;
  RelationResult out;
  Hidden hidden = solve_hidden(relation, x.detach(), condition);
  out.w = hidden.w;
  const double kappa = relation.net->lipschitz();
  if (f.b != 0) out.error_bound = hidden.error_bound * f.error_gain(kappa);
  const bool eliminates = f.eliminates(kappa);  // one evaluation less, and y is exact in x
  if (eliminates) out.y = at::add(out.w * (-f.determinant() / f.b), x.detach(), f.d / f.b);
  if (eliminates && parts == RelationParts::kValue) return out;
  const auto point = relation.net->linearize(out.w, condition);
  if (!eliminates) out.y = at::add(out.w * f.c, point->value(), f.d);
  if (parts == RelationParts::kValue) return out;
  out.log_det = estimate_log_det(f, *point, relation.net->bound(), relation.log_det, rng,
                                 parts == RelationParts::kLogDetAndGradient,
                                 relation.law ? &*relation.law : nullptr);
  return out;
}

void refuse_second_derivative() {
  if (!at::GradMode::is_enabled()) return;
  fail<InverseUnavailable>(
      "ContractiveBlock.backward", "create_graph", "a first derivative",
      "a request for a second one",
      "The block has no second derivative; wrap its network in an AutogradNet-based "
      "log-density of your own, or use finite differences of the gradient.");
}

RelationGradients relation_gradients(const BlockRelation& relation, const RelationResult& saved,
                                     const at::Tensor& condition, const at::Tensor& y_bar,
                                     const at::Tensor& c) {
  at::NoGradGuard guard;
  const BlockForm& f = relation.form;
  const auto point = relation.net->linearize(saved.w, condition);
  at::Tensor g;
  if (y_bar.defined() && f.d != 0) g = y_bar * f.d;
  at::Tensor u, t;
  if (c.defined()) {
    u = saved.log_det.u * c.view({1, -1, 1});
    t = saved.log_det.t;
  }
  // (dG/dw)^T D y_bar + l_w, and the parameters' share of both, in one reverse pass.
  const auto reduced = is_series(relation.log_det) ? point->reduced() : nullptr;
  RelationGradients out{(reduced ? *reduced : *point).gradients(g, u, t), {}};
  at::Tensor right = out.w;
  if (y_bar.defined()) right = right.defined() ? at::add(right, y_bar, f.c) : y_bar * f.c;
  const at::Tensor lambda = solve_adjoint(relation, saved, *point, right);
  out.w = lambda;
  if (f.learned) {
    out.ratios = ratio_gradients(f, *point, lambda, y_bar, c, saved.log_det.ratios);
  }
  if (f.b == 0) return out;
  const NetGradients through_solve = point->gradients(lambda * -f.b, {}, {});
  out.condition = add_defined(out.condition, through_solve.condition);
  for (size_t k = 0; k < out.parameters.size(); ++k)
    out.parameters[k] += through_solve.parameters[k];
  return out;
}

}  // namespace contraflow
