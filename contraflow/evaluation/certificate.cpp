#include "contraflow/evaluation/certificate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <map>

#include "contraflow/core/vector_norm.h"
#include "contraflow/evaluation/block_facts.h"
#include "contraflow/evaluation/scores.h"
#include "contraflow/training/evaluation.h"

namespace contraflow {
namespace {

// Rounding of forward and inverse themselves, relative to the size of the points.
constexpr double kRounding = 1e-12;
constexpr int64_t kPowerIterations = 10;
constexpr double kUnknown = std::numeric_limits<double>::infinity();

/// Euclidean, over all axes of an event.
at::Tensor event_norm(const at::Tensor& events) {
  return at::linalg_vector_norm(events.flatten(1), 2, at::IntArrayRef{1});
}

at::Tensor or_zero(const at::Tensor& bound, const at::Tensor& like) {
  return bound.defined() ? bound.to(at::kDouble) : at::zeros_like(like);
}

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

/// What the map back may add to the errors that are known: its own rounding.
at::Tensor rounding(std::optional<double> lipschitz, const at::Tensor& x, const at::Tensor& y) {
  return kRounding * (1.0 + lipschitz.value_or(1.0)) * (1.0 + event_norm(x) + event_norm(y));
}

/// x -> y -> x' by `transform` (or by its inverse and back): an error e of y moves x' by at most
/// Lip(the way back) e, and the way back adds its own.
RoundTrip round_trip(const Transform& transform, bool inverse, const at::Tensor& x,
                     const TransformOutput& out, const Context& context) {
  const TransformOutput back =
      inverse ? transform.forward(out.value, context) : transform.inverse(out.value, context);
  const auto lipschitz = inverse ? transform.forward_lipschitz() : transform.inverse_lipschitz();
  RoundTrip trip{.error = event_norm(back.value - x), .bound = {}};
  trip.bound = or_zero(back.solve_error_bound, trip.error) +
               carried(or_zero(out.solve_error_bound, trip.error), lipschitz) +
               rounding(lipschitz, x, out.value);
  return trip;
}

/// One leaf's call, kept.
struct LeafCall {
  std::string name;
  at::Tensor input, output;
  at::Tensor own_error;             ///< [B] or undefined: certified bound on that of its own solve.
  std::optional<double> lipschitz;  ///< Of the map that was called.
  bool bijective = true;  ///< And behind the data side, so that its errors are in standard units.
};

std::vector<LeafCall> calls_of(const Transform& transform, const at::Tensor& x,
                               const Context& context, bool inverse) {
  std::vector<LeafCall> out;
  transform.trace(x, context, inverse, [&out](const TracedCall& call) {
    const Transform& leaf = call.transform;
    out.push_back({call.name, call.input, call.output.value, call.output.solve_error_bound,
                   call.inverse ? leaf.inverse_lipschitz() : leaf.forward_lipschitz(),
                   leaf.bijective() && !leaf.data_side()});
    return true;
  });
  return out;
}

/// The certified error after calls [begin, end), one after another; unknown where a call does not
/// start from the value that the call before it gave.
at::Tensor carried_through(const std::vector<LeafCall>& calls, size_t begin, size_t end,
                           at::Tensor error) {
  for (size_t k = begin; k < end; ++k) {
    const bool follows = k == begin || calls[k].input.is_same(calls[k - 1].output);
    error = carried(error, follows ? calls[k].lipschitz : std::nullopt) +
            or_zero(calls[k].own_error, error);
    if (!follows) error = at::full_like(error, kUnknown);
  }
  return error;
}

/// The round trip of a map that drops what it cannot undo (a dequantization, which has no inverse
/// that could be exact), or that starts with the columns of a table, whose units say nothing about an
/// error: from the last point after which everything is bijective and standardised. Unset where there
/// is nothing after it.
std::optional<RoundTrip> round_trip_after_loss(const Transform& transform, const at::Tensor& x,
                                               const Context& context) {
  const std::vector<LeafCall> there = calls_of(transform, x, context, /*inverse=*/false);
  size_t first = there.size();
  while (first > 0 && there[first - 1].bijective) --first;
  if (first == 0 || first == there.size()) return std::nullopt;
  const LeafCall& loss = there[first - 1];
  const at::Tensor z = there.back().output;
  const std::vector<LeafCall> back = calls_of(transform, z, context, /*inverse=*/true);
  const auto reached = std::find_if(back.begin(), back.end(),
                                    [&](const LeafCall& call) { return call.name == loss.name; });
  if (reached == back.end()) return std::nullopt;
  RoundTrip trip{.error = event_norm(reached->input - loss.output), .bound = {}};
  const at::Tensor none = at::zeros_like(trip.error);
  const at::Tensor in_latent = carried_through(there, first, there.size(), none);
  const auto end = static_cast<size_t>(reached - back.begin());
  std::optional<double> lipschitz = 1.0;
  for (size_t k = 0; k < end && lipschitz; ++k)
    lipschitz = back[k].lipschitz ? std::optional(*lipschitz * *back[k].lipschitz) : std::nullopt;
  trip.bound = carried_through(back, 0, end, in_latent) + rounding(lipschitz, loss.output, z);
  return trip;
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

/// The hidden point, as rows: x = A w + B g and y = C w + D g are two equations for w and g.
at::Tensor hidden_point(const BlockForm& form, const TracedCall& call) {
  const at::Tensor& x = call.inverse ? call.output.value : call.input;
  const at::Tensor& y = call.inverse ? call.input : call.output.value;
  return ((x * form.d - y * form.b) / form.determinant()).flatten(1);
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
    if (whole.bijective() && !whole.data_side()) {
      const TransformOutput direct = whole.forward(batch.x, context);  // as it runs in use
      add_whole(round_trip(whole, /*inverse=*/false, batch.x, direct, context));
    } else if (const auto trip = round_trip_after_loss(whole, batch.x, context)) {
      add_whole(*trip);
    }
    result_.rows += batch.x.size(0);
  }

  Certificate take() { return std::move(result_); }

 private:
  static void add_block(const TracedCall& call, BlockCertificate& certificate) {
    const RoundTrip trip =
        round_trip(call.transform, call.inverse, call.input, call.output, call.context);
    certificate.worst_error = std::max(certificate.worst_error, trip.error.max().item<double>());
    certificate.worst_bound = std::max(certificate.worst_bound, trip.bound.max().item<double>());
    certificate.within_bounds = certificate.within_bounds && trip.within_bounds();
    const ContractiveMap& map = *call.transform.contractive();
    const at::Tensor w = hidden_point(map.form(), call);
    certificate.lower = std::max(
        certificate.lower, observed_lipschitz(*map.net(), certificate.norm_order, w, call.context));
  }

  void add_whole(const RoundTrip& trip) {
    result_.worst_error = std::max(result_.worst_error, trip.error.max().item<double>());
    result_.worst_bound = std::max(result_.worst_bound, trip.bound.max().item<double>());
    result_.within_bounds = result_.within_bounds && trip.within_bounds();
  }

  Flow& flow_;
  Rng rng_;
  std::map<std::string, size_t> place_;  ///< Of the blocks by the names of their leaves.
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

Certificate certify(Flow& flow, const data::Source& source, int64_t rows, const Rng& rng) {
  const at::NoGradGuard no_grad;
  constexpr int64_t kMostRows = 1024;
  const int64_t chunk = std::min(kMostRows, rows_per_chunk(event_size(flow)));
  Certifier certifier(flow, rng);
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    const data::Batch batch = source.rows(begin, std::min(rows, begin + chunk));
    certifier.add_rows(batch_to(batch, at::TensorOptions(at::kDouble)));
  }
  return certifier.take();
}

}  // namespace contraflow
