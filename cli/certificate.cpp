#include "cli/certificate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "contraflow/core/vector_norm.h"
#include "contraflow/training/evaluation.h"
#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/contractive_map.h"

namespace contraflow::cli {
namespace {

// Rounding of forward and inverse themselves, relative to the size of the points.
constexpr double kRounding = 1e-12;
constexpr int64_t kPowerIterations = 10;

at::Tensor row_norm(const at::Tensor& rows) {
  return at::linalg_vector_norm(rows, 2, at::IntArrayRef{-1});
}

struct RoundTrip {
  at::Tensor error;  ///< [B]
  at::Tensor bound;  ///< [B]
};

at::Tensor or_zero(const at::Tensor& bound, const at::Tensor& like) {
  return bound.defined() ? bound.to(at::kDouble) : at::zeros_like(like);
}

/// x -> y -> x' by `transform`: an error e of y moves x' by at most Lip(inverse) e, and the inverse
/// adds its own.
RoundTrip round_trip(const Transform& transform, const at::Tensor& x, const TransformOutput& out,
                     const Context& context) {
  const TransformOutput back = transform.inverse(out.value, context);
  RoundTrip trip;
  trip.error = row_norm(back.value - x);
  const at::Tensor own = or_zero(back.solve_error_bound, trip.error);
  const at::Tensor carried = or_zero(out.solve_error_bound, trip.error);
  const auto growth = transform.inverse_lipschitz();
  // 0 stays 0 where no constant is known: an exact point carries nothing.
  const double factor = growth.value_or(std::numeric_limits<double>::infinity());
  const at::Tensor grown = at::where(carried.eq(0), at::zeros_like(carried), carried * factor);
  const double slope = 1.0 + growth.value_or(1.0);
  trip.bound = own + grown + kRounding * slope * (1.0 + row_norm(x) + row_norm(out.value));
  return trip;
}

/// The hidden point: x = A w + B g and y = C w + D g are two equations for w and g.
at::Tensor hidden_point(const BlockForm& form, const at::Tensor& x, const at::Tensor& y) {
  return (x * form.d - y * form.b) / form.determinant();
}

/// A lower bound on Lip(G) in the norm of an order: the power iteration v <- dual of J^T (dual of J
/// v), which for the Euclidean norm is that of J^T J, at each row.
double observed_lipschitz(const ContractiveNet& net, double order, const at::Tensor& w,
                          const Context& context) {
  const auto point = net.linearize(w, context.condition);
  at::Tensor v =
      context.rng.normal({w.size(0), 1, w.size(1)}, w.options()).transpose(0, 1).contiguous();
  double largest = 0.0;
  for (int64_t k = 0; k < kPowerIterations; ++k) {
    v = dual_rows(v, order);
    const at::Tensor image = point->jvp(v);
    largest = std::max(largest, contraflow::row_norm(image, order).max().item<double>());
    v = point->vjp(dual_rows(image, dual_order(order)));
  }
  return largest;
}

class Certifier {
 public:
  Certifier(Flow& flow, const Rng& rng) : flow_(flow), rng_(rng) {
    for (const Member& member : flow.transform()->members()) members_.push_back(member.transform);
    if (members_.empty()) members_.push_back(flow.transform());
    for (size_t k = 0; k < members_.size(); ++k) {
      const ContractiveMap* block = members_[k]->contractive();
      if (block == nullptr) continue;
      block->net()->refresh(/*force=*/true);  // a proof of these weights, whatever was stored
      BlockCertificate certificate;
      certificate.name = "block " + std::to_string(result_.blocks.size() + 1);
      certificate.form = block->form_name();
      certificate.norm_order = block->net()->norm_order();
      certificate.upper = block->net()->lipschitz();
      certificate.proven = block->net()->proven();
      certificate.layers = block->net()->layer_bounds();
      prove_otherwise(*block->net(), certificate);
      result_.blocks.push_back(std::move(certificate));
    }
  }

  void add_rows(const data::Batch& batch) {
    const Context context{.condition = batch.condition, .rng = rng_.rows_from(batch.first_row)};
    at::Tensor x = batch.x;
    at::Tensor start = x;  // behind a dequantization, which has no inverse that could be exact
    size_t first = 0, block = 0;
    for (size_t k = 0; k < members_.size(); ++k) {
      const Context own = member_context(context, k);
      const TransformOutput out = members_[k]->forward(x, own);
      if (members_[k]->contractive() != nullptr) {
        add_block(*members_[k], result_.blocks[block++], x, out, own);
      }
      x = out.value;
      if (!members_[k]->bijective()) {
        start = x;
        first = k + 1;
      }
    }
    add_whole(first, start, context);
    result_.rows += batch.x.size(0);
  }

  Certificate take() { return std::move(result_); }

 private:
  // Norms that are only estimated may still leave weights whose spectral norms prove enough.
  static void prove_otherwise(const ContractiveNet& net, BlockCertificate& certificate) {
    if (certificate.proven) return;
    const double upper = net.euclidean_proof();
    if (upper >= 1.0) return;
    certificate.upper = upper;
    certificate.norm_order = 2.0;
    certificate.proven = true;
  }

  Context member_context(const Context& context, size_t k) const {
    Context own = context.fork(k);
    if (!members_[k]->conditional()) own.condition = at::Tensor();
    return own;
  }

  void add_block(const Transform& block, BlockCertificate& certificate, const at::Tensor& x,
                 const TransformOutput& out, const Context& context) {
    const RoundTrip trip = round_trip(block, x, out, context);
    certificate.worst_error = std::max(certificate.worst_error, trip.error.max().item<double>());
    certificate.worst_bound = std::max(certificate.worst_bound, trip.bound.max().item<double>());
    certificate.within_bounds =
        certificate.within_bounds && trip.error.le(trip.bound).all().item<bool>();
    const at::Tensor w = hidden_point(block.contractive()->form(), x, out.value);
    certificate.lower = std::max(
        certificate.lower, observed_lipschitz(*block.contractive()->net(), certificate.norm_order, w, context));
  }

  void add_whole(size_t first, const at::Tensor& start, const Context& context) {
    if (first == members_.size()) return;
    const auto from = members_.begin() + static_cast<std::ptrdiff_t>(first);
    const Chain rest(std::vector<TransformPtr>(from, members_.end()));
    Context own = context;
    if (!rest.conditional()) own.condition = at::Tensor();
    const TransformOutput out = rest.forward(start, own);
    const RoundTrip trip = round_trip(rest, start, out, own);
    result_.worst_error = std::max(result_.worst_error, trip.error.max().item<double>());
    result_.worst_bound = std::max(result_.worst_bound, trip.bound.max().item<double>());
    result_.within_bounds = result_.within_bounds && trip.error.le(trip.bound).all().item<bool>();
  }

  Flow& flow_;
  Rng rng_;
  std::vector<TransformPtr> members_;
  Certificate result_;
};

}  // namespace

const char* verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::kCertified:
      return "CERTIFIED";
    case Verdict::kNotProven:
      return "NOT PROVEN";
    case Verdict::kFailed:
      break;
  }
  return "FAILED";
}

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
  constexpr int64_t kChunk = 1024;
  Certifier certifier(flow, rng);
  for (int64_t begin = 0; begin < rows; begin += kChunk) {
    const data::Batch batch = source.rows(begin, std::min(rows, begin + kChunk));
    certifier.add_rows(batch_to(batch, at::TensorOptions(at::kDouble)));
  }
  return certifier.take();
}

}  // namespace contraflow::cli
