#include "contraflow/evaluation/certificate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <map>

#include "contraflow/core/vector_norm.h"
#include "contraflow/evaluation/block_facts.h"
#include "contraflow/evaluation/leaf_call.h"
#include "contraflow/evaluation/local_bound.h"
#include "contraflow/evaluation/scores.h"
#include "contraflow/training/evaluation.h"

namespace contraflow {
namespace {

constexpr int64_t kPowerIterations = 10;
constexpr double kUnknown = std::numeric_limits<double>::infinity();

/// An error of size `error` after a map of constant `lipschitz`. 0 stays 0 where no constant is
/// known: an exact point carries nothing.
at::Tensor carried(const at::Tensor& error, std::optional<double> lipschitz) {
  return at::where(error.eq(0), error, error * lipschitz.value_or(kUnknown));
}

/// A way to the latent and back, or the other way round.
struct RoundTrip {
  at::Tensor error;  ///< [B]
  at::Tensor bound;  ///< [B]

  bool within_bounds() const { return error.le(bound).all().item<bool>(); }
};

/// What the map back may add to the errors that are known: its own rounding, and that of the way there.
at::Tensor rounding_back(std::optional<double> lipschitz, const at::Tensor& x,
                         const at::Tensor& y) {
  return rounding(x, y) * (1.0 + lipschitz.value_or(1.0));
}

/// x -> y -> x' by `transform` (or by its inverse and back): an error e of y moves x' by at most
/// Lip(the way back) e, and the way back adds its own.
RoundTrip round_trip(const Transform& transform, bool inverse, const at::Tensor& x,
                     const TransformOutput& out, const TransformOutput& back) {
  const auto lipschitz = inverse ? transform.forward_lipschitz() : transform.inverse_lipschitz();
  RoundTrip trip{.error = event_norm(back.value - x), .bound = {}};
  trip.bound = or_zero(back.solve_error_bound, trip.error) +
               carried(or_zero(out.solve_error_bound, trip.error), lipschitz) +
               rounding_back(lipschitz, x, out.value);
  return trip;
}

/// The round trip of a whole flow.
struct WholeTrip {
  RoundTrip trip;
  std::string unbounded;      ///< See Certificate.
  at::Tensor own_error;       ///< [B, features]: |x' - x| in the data's units.
  bool traced_within = true;  ///< A trace beside it came back within its bound.
};

/// How the way back ends where the data are.
at::Tensor own_error(const at::Tensor& x, const at::Tensor& back) {
  return (back.to(at::kDouble) - x.to(at::kDouble)).abs().flatten(1);
}

/// A flow as it runs in use, whose kernels join what a trace calls one by one: its ends are compared
/// with those of the trace, which has the better bound.
WholeTrip trip_of_bijection(const Transform& whole, const at::Tensor& x, const Context& context,
                            const ProvenNets& nets) {
  const TransformOutput direct = whole.forward(x, context);
  const TransformOutput back = whole.inverse(direct.value, context);
  RoundTrip trip = round_trip(whole, /*inverse=*/false, x, direct, back);
  at::Tensor z;
  const std::vector<LeafCall> there = calls_of(whole, x, context, /*inverse=*/false, &z);
  const std::vector<LeafCall> traced = calls_of(whole, direct.value, context, /*inverse=*/true);
  const at::Tensor apart = event_norm(z - direct.value);
  const LocalBound local = local_bound(there, 0, traced, apart, nets);
  trip.bound = at::minimum(trip.bound, local.bound + event_norm(traced.back().output - back.value));
  const RoundTrip beside{event_norm(traced.back().output - x), local.bound};
  return {trip, local.unbounded, own_error(x, back.value), beside.within_bounds()};
}

/// A map that drops what it cannot undo (a dequantization, which has no inverse that could be exact),
/// or that starts with the columns of a table, whose units say nothing about an error: from the last
/// point after which everything is bijective and standardised. Unset where there is nothing after it.
std::optional<WholeTrip> trip_after_loss(const Transform& transform, const at::Tensor& x,
                                         const Context& context, const ProvenNets& nets) {
  at::Tensor z;
  const std::vector<LeafCall> there = calls_of(transform, x, context, /*inverse=*/false, &z);
  size_t first = there.size();
  while (first > 0 && there[first - 1].bijective) --first;
  if (first == 0 || first == there.size()) return std::nullopt;
  const LeafCall& loss = there[first - 1];
  const std::vector<LeafCall> back = calls_of(transform, z, context, /*inverse=*/true);
  const auto reached = std::find_if(back.begin(), back.end(),
                                    [&](const LeafCall& call) { return call.name == loss.name; });
  if (reached == back.end()) return std::nullopt;
  RoundTrip trip{.error = event_norm(reached->input - loss.output), .bound = {}};
  const LocalBound local = local_bound(there, first, back, at::zeros_like(trip.error), nets);
  trip.bound = local.bound;
  return WholeTrip{trip, local.unbounded, own_error(x, back.back().output)};
}

/// A lower bound on Lip(G) in the norm of an order: the power iteration v <- dual of J^T (dual of J
/// v), which for the Euclidean norm is that of J^T J, at each row.
double observed_lipschitz(const ContractiveNet& net, double order, const at::Tensor& w,
                          const Context& context) {
  const at::Tensor& condition = context.condition;
  const auto point = net.linearize(w, condition.defined() ? condition.flatten(1) : condition);
  at::Tensor v =
      context.rng.normal({w.size(0), 1, w.size(1)}, w.options()).transpose(0, 1).contiguous();
  double largest = 0.0;
  for (int64_t k = 0; k < kPowerIterations; ++k) {
    v = dual_rows(v, order);
    const at::Tensor image = point->jvp(v);
    largest = std::max(largest, row_norm(image, order).max().item<double>());
    v = point->vjp(dual_rows(image, dual_order(order)));
  }
  return largest;
}

/// What is proven about the weights as they are, whatever was stored. Norms that are only
/// estimated may still leave weights whose spectral norms prove enough.
BlockCertificate prove(const ContractiveBlockRef& block) {
  ContractiveNet& net = *block.map->net();
  net.refresh(/*force=*/true);
  BlockCertificate out{.name = block.name,
                       .form = block.map->form_name(),
                       .norm_order = net.norm_order(),
                       .upper = net.lipschitz(),
                       .proven = net.proven(),
                       .layers = net.layer_bounds()};
  if (out.proven) return out;
  const double euclidean = net.euclidean_proof();
  if (euclidean >= 1.0) return out;
  out.upper = euclidean;
  out.norm_order = 2.0;
  out.proven = true;
  return out;
}

class Certifier {
 public:
  Certifier(Flow& flow, const Rng& rng) : flow_(flow), rng_(rng) {
    for (const ContractiveBlockRef& block : contractive_blocks(flow)) {
      place_.emplace(block.path, result_.blocks.size());
      result_.blocks.push_back(prove(block));
      const BlockCertificate& proof = result_.blocks.back();
      const bool euclidean = proof.proven && proof.norm_order == 2.0;
      nets_[block.map] = {euclidean ? proof.upper : block.map->net()->euclidean_proof(),
                          block.map->net()->curvature()};
    }
  }

  void add_rows(const data::Batch& batch) {
    const Context context{.condition = batch.condition,
                          .rng = rng_.rows_from(batch.first_row),
                          .hints = {.wants_log_det = false}};
    const Transform& whole = *flow_.transform();
    whole.trace(batch.x, context, /*inverse=*/false, [this](const TracedCall& call) {
      if (call.transform.contractive() != nullptr)
        add_block(call, result_.blocks.at(place_.at(call.name)));
      return true;
    });
    result_.standardised = whole.data_side();
    if (whole.bijective() && !whole.data_side()) {
      add_whole(trip_of_bijection(whole, batch.x, context, nets_));
    } else if (const auto trip = trip_after_loss(whole, batch.x, context, nets_)) {
      add_whole(*trip);
    }
    result_.rows += batch.x.size(0);
  }

  Certificate take() {
    if (own_error_.defined()) {
      const at::Tensor worst = own_error_.cpu().contiguous();
      const auto* begin = worst.const_data_ptr<double>();
      result_.own_errors.assign(begin, begin + worst.numel());
    }
    return std::move(result_);
  }

 private:
  static void add_block(const TracedCall& call, BlockCertificate& certificate) {
    const at::Tensor& out = call.output.value;
    const TransformOutput back = call.inverse ? call.transform.forward(out, call.context)
                                              : call.transform.inverse(out, call.context);
    const RoundTrip trip = round_trip(call.transform, call.inverse, call.input, call.output, back);
    certificate.worst_error = std::max(certificate.worst_error, trip.error.max().item<double>());
    certificate.worst_bound = std::max(certificate.worst_bound, trip.bound.max().item<double>());
    certificate.within_bounds = certificate.within_bounds && trip.within_bounds();
    for (const TransformOutput* solved : {&call.output, &back}) {
      const at::Tensor bound = or_zero(solved->solve_error_bound, trip.error);
      certificate.worst_solve = std::max(certificate.worst_solve, bound.max().item<double>());
    }
    const ContractiveMap& map = *call.transform.contractive();
    const at::Tensor w = hidden_rows(map.form(), call);
    certificate.lower = std::max(
        certificate.lower, observed_lipschitz(*map.net(), certificate.norm_order, w, call.context));
  }

  void add_whole(const WholeTrip& whole) {
    const RoundTrip& trip = whole.trip;
    result_.worst_error = std::max(result_.worst_error, trip.error.max().item<double>());
    result_.worst_bound = std::max(result_.worst_bound, trip.bound.max().item<double>());
    result_.within_bounds = result_.within_bounds && trip.within_bounds() && whole.traced_within;
    if (result_.unbounded.empty()) result_.unbounded = whole.unbounded;
    const at::Tensor wrong = whole.own_error.ge(0.5);  // another integer after rounding
    result_.values += wrong.numel();
    result_.wrong_values += wrong.sum().item<int64_t>();
    result_.wrong_rows += wrong.any(1).sum().item<int64_t>();
    const at::Tensor worst = whole.own_error.amax(0);
    own_error_ = own_error_.defined() ? at::maximum(own_error_, worst) : worst;
  }

  Flow& flow_;
  Rng rng_;
  std::map<std::string, size_t> place_;  ///< Of the blocks by the names of their leaves.
  ProvenNets nets_;
  at::Tensor own_error_;  ///< [features], the largest so far.
  Certificate result_;
};

}  // namespace

Verdict BlockCertificate::verdict() const {
  // A lower bound above the upper one by more than its rounding refutes the proof.
  const bool contradicted = lower > upper * (1.0 + 1e-9);
  const bool fine = upper < 1.0 && within_bounds && !(proven && contradicted);
  if (!fine) return Verdict::kFailed;
  return proven ? Verdict::kCertified : Verdict::kNotProven;
}

Verdict Certificate::verdict() const {
  Verdict worst = within_bounds ? Verdict::kCertified : Verdict::kFailed;
  for (const BlockCertificate& block : blocks) worst = std::max(worst, block.verdict());
  return worst;
}

Certificate certify(Flow& flow, const data::Source& source, int64_t rows, const Rng& rng,
                    const RowsCertified& done) {
  const at::NoGradGuard no_grad;
  // So few that a caller hears often of them, and enough that passes take their usual time.
  constexpr int64_t kLeastRows = 8, kMostRows = 128, kNumbers = 4096;
  const int64_t usual = std::clamp(kNumbers / event_size(flow), kLeastRows, kMostRows);
  const int64_t chunk =
      std::min(usual, rows_per_chunk(event_size(flow)));  // no Jacobians: no log-det
  Certifier certifier(flow, rng);
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const int64_t end = std::min(rows, begin + chunk);
    with_memory(
        memory_use("certify", flow, end - begin, "Free memory: a batch has few rows already."),
        [&] {
          certifier.add_rows(batch_to(source.rows(begin, end), at::TensorOptions(at::kDouble)));
        });
    if (done) done(end);
  }
  return certifier.take();
}

}  // namespace contraflow
