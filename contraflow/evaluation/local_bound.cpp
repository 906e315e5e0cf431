#include "contraflow/evaluation/local_bound.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <optional>

#include "contraflow/networks/contractive_net.h"

namespace contraflow {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
/// Rounding of matrices and their norms, relative; slopes are of the order of 1.
constexpr double kMatrixRounding = 1e-9;
/// A Jacobian takes as many passes as features, and its inverse their cube.
constexpr int64_t kMostFeatures = 128;

// At least the largest singular value, at most d^(1/128) of it: a Frobenius norm bounds it, and with
// N = M^T M the power N^32 has |M|^64.
at::Tensor spectral_norm_bound(const at::Tensor& matrices) {
  constexpr int kSquarings = 5;
  const auto frobenius = [](const at::Tensor& m) {
    return at::linalg_vector_norm(m, 2, at::IntArrayRef{1, 2});
  };
  at::Tensor power = matrices.transpose(1, 2).bmm(matrices);
  at::Tensor log_norm = at::zeros({matrices.size(0)}, matrices.options());
  double exponent = 2.0;
  for (int k = 0; k <= kSquarings; ++k) {
    const at::Tensor scale = frobenius(power).clamp_min(1e-300);  // so that no power overflows
    log_norm = log_norm + scale.log() / exponent;
    power = power / scale.view({-1, 1, 1});
    if (k < kSquarings) power = power.bmm(power);
    exponent *= 2.0;
  }
  return log_norm.exp() * (1.0 + kMatrixRounding);
}

// J [B, d, d] of the net at a point.
at::Tensor jacobian(const NetPoint& point, int64_t rows, int64_t features,
                    const at::TensorOptions& options) {
  const at::Tensor unit =
      at::eye(features, options).unsqueeze(1).expand({features, rows, features});
  return point.jvp(unit.contiguous()).permute({1, 2, 0});
}

/// The way back of one block's call: y -> x of  x = A w + B G(w), y = C w + D G(w), whose derivative is
/// (A I + B J) (C I + D J)^-1.
class BlockWayBack {
 public:
  BlockWayBack(const LeafCall& call, const ContractiveMap& map, const ProvenNet& net)
      : form_(call.inverse ? map.form().swapped() : map.form()),
        curvature_(net.curvature),
        reach_(std::abs(form_.c) - std::abs(form_.d) * net.lipschitz),
        global_(form_.swapped().lipschitz(net.lipschitz)) {
    const at::Tensor x = call.input.flatten(1), y = call.output.flatten(1);
    const at::Tensor w = (x * form_.d - y * form_.b) / form_.determinant();
    const at::Tensor& condition = call.context.condition;
    const auto point =
        map.net()->linearize(w, condition.defined() ? condition.flatten(1) : condition);
    off_ = event_norm(w * form_.c + point->value() * form_.d - y) + rounding(w, y);
    const at::Tensor j = jacobian(*point, w.size(0), w.size(1), w.options());
    const at::Tensor one = at::eye(w.size(1), w.options());
    const at::Tensor denominator = one * form_.c + j * form_.d;
    const at::Tensor inverse = at::linalg_inv(denominator);
    // The computed inverse S of K: K^-1 = S (K S)^-1, and |(K S)^-1| <= 1 / (1 - |I - K S|).
    const at::Tensor defect =
        at::linalg_vector_norm(one - denominator.bmm(inverse), 2, at::IntArrayRef{1, 2});
    const at::Tensor factor = at::where(defect.lt(0.5), 1.0 / (1.0 - defect), kInfinite);
    inverse_ = spectral_norm_bound(inverse) * factor;
    slope_ = spectral_norm_bound((one * form_.a + j * form_.b).bmm(inverse)) * factor;
  }

  /// Bound on the slope at all points within `radius` [B] of y.
  at::Tensor slope(const at::Tensor& radius) const {
    // w answers y with a constant of at most 1 / reach, and J turns with w.
    const at::Tensor turn = (off_ + radius) * (curvature_ / reach_) + kMatrixRounding;
    const at::Tensor left = 1.0 - turn * inverse_ * std::abs(form_.d);
    const at::Tensor near = (slope_ + turn * inverse_ * std::abs(form_.b)) / left;
    const at::Tensor known = left.gt(0).logical_and(near.lt(global_));
    return at::where(known, near, at::full_like(near, global_));
  }

 private:
  BlockForm form_;
  double curvature_;
  double reach_;
  double global_;
  at::Tensor off_;      // [B]: how far the hidden point is from answering y
  at::Tensor inverse_;  // [B]: |(C I + D J)^-1|
  at::Tensor slope_;    // [B]: of the way back, at the hidden point
};

bool has_local_slope(const LeafCall& call, const ProvenNet& net) {
  const int64_t features = call.output.flatten(1).size(1);
  return net.lipschitz < 1.0 && std::isfinite(net.curvature) && features <= kMostFeatures;
}

std::optional<double> constant_back(const LeafCall& call) {
  return call.inverse ? call.transform->forward_lipschitz() : call.transform->inverse_lipschitz();
}

at::Tensor back_through(const LeafCall& call, const at::Tensor& y) {
  return call.inverse ? call.transform->forward(y, call.context).value
                      : call.transform->inverse(y, call.context).value;
}

// From the ends of the intervals, since what lies between stays between.
at::Tensor reach_of_increasing(const LeafCall& call, const at::Tensor& distance) {
  const at::Tensor& y = call.output;
  std::vector<int64_t> shape(static_cast<size_t>(y.dim()), 1);
  shape.front() = y.size(0);
  const at::Tensor d = at::where(distance.isfinite(), distance, 0.0).view(shape);
  const at::Tensor low = back_through(call, y - d), high = back_through(call, y + d);
  const at::Tensor reach = event_norm(high - low) + rounding(low, high);
  return at::where(distance.isfinite(), reach, at::full_like(reach, kInfinite));
}

// How far apart two points may be before `call` whose images lie within `distance` of its output.
at::Tensor distance_before(const LeafCall& call, const at::Tensor& distance,
                           const ProvenNets& nets) {
  if (call.transform->increasing()) return reach_of_increasing(call, distance);
  if (const ContractiveMap* map = call.transform->contractive()) {
    const auto net = nets.find(map);
    if (net != nets.end() && has_local_slope(call, net->second))
      return BlockWayBack(call, *map, net->second).slope(distance) * distance;
  }
  // An exact point stays exact where no constant is known: 0 times infinity is 0 here.
  return at::where(distance.eq(0), distance, distance * constant_back(call).value_or(kInfinite));
}

bool follows(const std::vector<LeafCall>& calls, size_t k) {
  return calls[k].input.is_same(calls[k - 1].output);
}

}  // namespace

LocalBound local_bound(const std::vector<LeafCall>& there, size_t first,
                       const std::vector<LeafCall>& back, const at::Tensor& apart,
                       const ProvenNets& nets) {
  LocalBound out{apart, {}};
  for (size_t k = there.size(), step = 0; k-- > first; ++step) {
    const LeafCall& call = there[k];
    const bool paired = step < back.size() && back[step].name == call.name &&
                        (k == first || follows(there, k)) && (step == 0 || follows(back, step));
    if (!paired) return {at::full_like(apart, kInfinite), call.name};
    const at::Tensor own = or_zero(call.own_error, apart) + rounding(call.input, call.output);
    const at::Tensor back_own =
        or_zero(back[step].own_error, apart) + rounding(back[step].input, back[step].output);
    out.bound = distance_before(call, out.bound + own, nets) + back_own;
    if (out.unbounded.empty() && out.bound.isinf().any().item<bool>()) out.unbounded = call.name;
  }
  return out;
}

}  // namespace contraflow
