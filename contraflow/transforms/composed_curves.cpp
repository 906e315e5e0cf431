// Columns are rows here, padded to the longest by their last knot, so that one search serves all.
#include <ATen/ATen.h>

#include "contraflow/transforms/marginal_curves.h"

namespace contraflow {
namespace {

// [D, K] indices into the flat arrays.
at::Tensor padded_index(const std::vector<int64_t>& first, at::Device device) {
  const at::Tensor start = at::tensor(first, at::kLong).to(device);
  const at::Tensor from = start.slice(0, 0, -1).unsqueeze(1);
  const at::Tensor last = start.slice(0, 1).unsqueeze(1) - 1;
  const int64_t longest = (last - from).max().item<int64_t>() + 1;
  return at::minimum(from + at::arange(longest, start.options()), last);
}

// What is around each number [D, B]: the knots of its piece, or its tail.
struct Surroundings {
  at::Tensor left, right;  // bool: in that tail
  at::Tensor place, height, slope;
  at::Tensor next_place, next_height, next_slope;
};

class Columns {
 public:
  explicit Columns(const MarginalCurves& c)
      : index_(padded_index(c.first_knot, c.place.device())),
        place_(pad(c.place)),
        height_(pad(c.height)),
        slope_(pad(c.slope)) {}

  Surroundings around(const at::Tensor& v_db, bool by_height) const {
    const at::Tensor sorted = (by_height ? height_ : place_).detach().contiguous();
    const at::Tensor before =
        at::searchsorted(sorted, v_db.detach().contiguous(), false, /*right=*/true) - 1;
    const int64_t last = sorted.size(1) - 1;
    const at::Tensor left = before.lt(0), right = before.eq(last);
    const at::Tensor k = before.clamp_min(0), next = (k + 1).clamp_max(last);
    return {left,
            right,
            place_.gather(1, k),
            height_.gather(1, k),
            slope_.gather(1, k),
            place_.gather(1, next),
            height_.gather(1, next),
            slope_.gather(1, next)};
  }

 private:
  at::Tensor pad(const at::Tensor& flat) const {
    return flat.index_select(0, index_.flatten()).view(index_.sizes());
  }

  at::Tensor index_, place_, height_, slope_;
};

// The rational quadratic of a piece. In tails, where there is none, of a piece of width and rise 1:
// its numbers are not used, but their derivatives must be finite.
struct Quadratic {
  at::Tensor width, rise, p, q;

  explicit Quadratic(const Surroundings& s) {
    const at::Tensor tail = s.left.logical_or(s.right);
    width = at::where(tail, 1.0, s.next_place - s.place);
    rise = at::where(tail, 1.0, s.next_height - s.height);
    p = s.slope * width / rise;
    q = s.next_slope * width / rise;
  }
  at::Tensor denominator(const at::Tensor& t) const { return 1.0 + (p + q - 2.0) * t * (1.0 - t); }
  at::Tensor value(const at::Tensor& t) const {
    return rise * t * (t + p * (1.0 - t)) / denominator(t);
  }
  at::Tensor log_slope(const at::Tensor& t) const {
    const at::Tensor r = 1.0 - t;
    return (rise / width).log() + (q * t * t + 2.0 * t * r + p * r * r).log() -
           2.0 * denominator(t).log();
  }
  at::Tensor inverse(const at::Tensor& part) const {
    const at::Tensor b = p - part * (p + q - 2.0);
    return 2.0 * part / (b + (b * b + 4.0 * (1.0 - b) * part).sqrt());
  }
};

// log(1 + w u) / w with its limit u; `safe` keeps the derivative of the branch not taken finite.
struct Tail {
  at::Tensor straight, safe;

  explicit Tail(const at::Tensor& weight)
      : straight(weight.eq(0.0)), safe(at::where(straight, 1.0, weight)) {}
  at::Tensor value(const at::Tensor& u) const {
    return at::where(straight, u, (safe * u).log1p() / safe);
  }
  at::Tensor inverse(const at::Tensor& v) const {
    return at::where(straight, v, (safe * v).expm1() / safe);
  }
  at::Tensor log_slope(const at::Tensor& u) const {
    return at::where(straight, 0.0, (safe * u).log1p().neg());
  }
};

}  // namespace

CurvesOutput composed_curves(const MarginalCurves& curves, const at::Tensor& x, bool inverse) {
  const at::Tensor v = x.t().to(at::kDouble);
  const Surroundings s = Columns(curves).around(v, inverse);
  const at::Tensor in_tail = s.left.logical_or(s.right);
  const at::Tensor side = at::where(s.left, -1.0, at::ones_like(v));
  const Tail tail(at::where(s.left, curves.tail.select(1, 0).unsqueeze(1),
                            curves.tail.select(1, 1).unsqueeze(1)));
  const Quadratic piece(s);
  const at::Tensor offset = v - (inverse ? s.height : s.place);
  // Within a piece a tail gets 0, and in a tail the piece its middle.
  const at::Tensor out = at::where(in_tail, side * offset, 0.0);
  const at::Tensor in = at::where(in_tail, 0.5, offset / (inverse ? piece.rise : piece.width));
  const at::Tensor t = inverse ? piece.inverse(in) : in;
  const at::Tensor u = inverse ? tail.inverse(out) : s.slope * out;
  const at::Tensor log_slope =
      at::where(in_tail, s.slope.log() + tail.log_slope(u), piece.log_slope(t));
  const at::Tensor value =
      inverse ? s.place + at::where(in_tail, side * u / s.slope, piece.width * t)
              : s.height + at::where(in_tail, side * tail.value(u), piece.value(t));
  const at::Tensor sum = log_slope.sum(0);
  return {value.t().to(x.scalar_type()).contiguous(), (inverse ? -sum : sum).to(x.scalar_type())};
}

}  // namespace contraflow
