#include "contraflow/transforms/marginal_fit.h"

#include <ATen/ATen.h>

#include <numbers>
#include <span>

namespace contraflow {
namespace {

double normal_density(double z) {
  return std::exp(-0.5 * z * z) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

double normal_score(double p) {
  return at::special_ndtri(at::scalar_tensor(p, at::kDouble)).item<double>();
}

// Which ranks become knots. Knots are even in normal scores up to +-bend; further out they are even
// in ranks, `step` apart, because there are no more values than that. The knots that lie within
// the scores +-z are then  2 n / step (phi(bend) min(z, bend) + (Phi(-bend) - Phi(-z))+), and a
// bisection in `bend` gives the number asked for.
class KnotRanks {
 public:
  KnotRanks(int64_t n, int64_t knots)
      : n_(static_cast<double>(n)), pieces_(static_cast<double>(knots - 1)) {
    const double share = n_ / (2.0 * static_cast<double>(knots));
    step_ = std::clamp(std::floor(share), 1.0, kLeastStep);
    beyond_ = std::floor(std::min(share, std::max(kLeastBeyond, n_ / 1000.0)));
    low_ = (beyond_ + 0.5) / n_;
    edge_ = -normal_score(low_);
    double dense = 0.0, sparse = edge_;
    for (int k = 0; k < 60; ++k) {
      bend_ = 0.5 * (dense + sparse);
      (2.0 * half_count(bend_) > pieces_ ? dense : sparse) = bend_;
    }
    half_ = half_count(bend_);
  }

  // In increasing order, from 0; equal ones where there are fewer values than knots.
  std::vector<int64_t> ranks() const {
    std::vector<int64_t> out;
    for (double k = 0.0; k <= pieces_; ++k) {
      const bool lower = 2.0 * k <= pieces_;
      const double part = (lower ? k : pieces_ - k) / (0.5 * pieces_);  // 0 at the edge, 1 midway
      const double rank = std::clamp(std::round(probability(part) * n_ - 0.5), 0.0, n_ - 1.0);
      out.push_back(static_cast<int64_t>(lower ? rank : n_ - 1.0 - rank));
    }
    return out;
  }

 private:
  // Knots between the lower edge and the middle.
  double half_count(double bend) const {
    return n_ / step_ * (normal_density(bend) * bend + normal_cdf(-bend) - low_);
  }
  // Of the lower half: where `part` of its knots have passed.
  double probability(double part) const {
    const double p = low_ + part * half_ * step_ / n_;
    const double at_bend = normal_cdf(-bend_);
    if (p <= at_bend) return p;
    return normal_cdf(-bend_ + (p - at_bend) / normal_density(bend_));
  }

  static constexpr double kLeastStep = 10.0;
  static constexpr double kLeastBeyond = 16.0;
  double n_, pieces_;
  double step_, beyond_, low_,
      edge_;  // values per piece, beyond the outer knot; probability, score
  double bend_ = 0.0, half_ = 0.0;
};

// Knots further apart than rounding, the outer ones first.
std::vector<double> resolved(const std::vector<double>& places, double range, double roundoff) {
  constexpr double kNumbersPerPiece = 32.0;  // a slope means something where so many values differ
  constexpr double kLeastShare = 1e-9;
  std::vector<double> out{places.front()};
  const auto apart = [&](double a, double b) {
    const double size = std::max(std::abs(a), std::abs(b));
    return b - a >= std::max(kNumbersPerPiece * roundoff * size, kLeastShare * range);
  };
  for (const double place : places) {
    if (apart(out.back(), place)) out.push_back(place);
  }
  const double last = places.back();
  if (out.back() != last && out.size() > 1) out.back() = last;
  return out;
}

// Phi^-1 of the middle rank of the values equal to each place.
std::vector<double> scores_of(const std::vector<double>& places, std::span<const double> sorted) {
  at::Tensor p = at::empty({std::ssize(places)}, at::kDouble);
  for (int64_t k = 0; k < std::ssize(places); ++k) {
    const auto [from, to] =
        std::equal_range(sorted.begin(), sorted.end(), places[static_cast<size_t>(k)]);
    const auto ranks = static_cast<double>((from - sorted.begin()) + (to - sorted.begin()));
    p.data_ptr<double>()[k] = 0.5 * ranks / static_cast<double>(sorted.size());
  }
  const at::Tensor z = at::special_ndtri(p);
  return {z.const_data_ptr<double>(), z.const_data_ptr<double>() + z.numel()};
}

// At an outer knot: of the parabola through it and its two neighbours, within a factor of 3 of the
// secant `near`.
double end_slope(double near_width, double near, double far_width, double far) {
  const double slope =
      ((2.0 * near_width + far_width) * near - near_width * far) / (near_width + far_width);
  return std::clamp(slope, near / 3.0, 3.0 * near);
}

std::vector<double> slopes_of(const std::vector<double>& x, const std::vector<double>& y) {
  const size_t pieces = x.size() - 1;
  std::vector<double> width(pieces), secant(pieces), out(x.size());
  for (size_t k = 0; k < pieces; ++k) {
    width[k] = x[k + 1] - x[k];
    secant[k] = (y[k + 1] - y[k]) / width[k];
  }
  if (pieces == 1) return {secant[0], secant[0]};
  for (size_t k = 1; k < pieces; ++k) {
    const double a = 2.0 * width[k] + width[k - 1], b = width[k] + 2.0 * width[k - 1];
    out[k] = (a + b) / (a / secant[k - 1] + b / secant[k]);
  }
  out.front() = end_slope(width[0], secant[0], width[1], secant[1]);
  out.back() =
      end_slope(width[pieces - 1], secant[pieces - 1], width[pieces - 2], secant[pieces - 2]);
  return out;
}

// The weight of largest likelihood for values at these distances beyond a knot, by golden sections
// of its logarithm. `height`: of the knot, positive outwards.
double tail_weight(const std::vector<double>& distances, double height, double slope) {
  constexpr double kLightest = 1e-3, kHeaviest = 1e2;
  const auto loss = [&](double log_weight) {
    double sum = 0.0;
    for (const double distance : distances) {
      const CurvePoint tail = curve::tail_forward(distance, slope, std::exp(log_weight));
      sum += 0.5 * (height + tail.value) * (height + tail.value) - tail.log_slope;
    }
    return sum;
  };
  if (distances.empty()) return kLightest;
  constexpr double kGolden = std::numbers::phi - 1.0;
  double low = std::log(kLightest), high = std::log(kHeaviest);
  for (int k = 0; k < 40; ++k) {
    const double a = high - kGolden * (high - low), b = low + kGolden * (high - low);
    (loss(a) <= loss(b) ? high : low) = loss(a) <= loss(b) ? b : a;
  }
  return std::exp(0.5 * (low + high));
}

void fit_tails(MarginalFit& fit, std::span<const double> sorted) {
  std::vector<double> left, right;
  const double first = fit.place.front(), last = fit.place.back();
  for (auto v = sorted.begin(); v != sorted.end() && *v < first; ++v) left.push_back(first - *v);
  for (auto v = sorted.rbegin(); v != sorted.rend() && *v > last; ++v) right.push_back(*v - last);
  fit.left = tail_weight(left, -fit.height.front(), fit.slope.front());
  fit.right = tail_weight(right, fit.height.back(), fit.slope.back());
}

MarginalFit affine_fit(const at::Tensor& sorted) {
  const double deviation = sorted.std(/*unbiased=*/true).item<double>();
  return {{sorted.mean().item<double>()}, {0.0}, {1.0 / deviation}, 0.0, 0.0};
}

}  // namespace

CurveView MarginalFit::view() const {
  return {place.data(), height.data(), slope.data(), std::ssize(place), left, right};
}

MarginalFit fit_marginal(const at::Tensor& sorted, int64_t knots, double roundoff) {
  if (knots == 0) return affine_fit(sorted);
  const std::span<const double> values(sorted.const_data_ptr<double>(),
                                       static_cast<size_t>(sorted.numel()));
  std::vector<double> places;
  for (const int64_t rank : KnotRanks(sorted.numel(), knots).ranks())
    places.push_back(values[static_cast<size_t>(rank)]);
  places = resolved(places, values.back() - values.front(), roundoff);
  MarginalFit fit = affine_fit(sorted);
  if (places.size() > 1) {
    fit.height = scores_of(places, values);
    fit.slope = slopes_of(places, fit.height);
    fit.place = std::move(places);
  }
  fit_tails(fit, values);
  return fit;
}

at::Tensor marginal_log_prob(const MarginalFit& fit, const at::Tensor& x) {
  const double constant = 0.5 * std::log(2.0 * std::numbers::pi);
  const at::Tensor in = x.to(at::kDouble).contiguous(), out = at::empty_like(in);
  const CurveView curve = fit.view();
  for (int64_t k = 0; k < in.numel(); ++k) {
    const CurvePoint point = curve_forward(curve, in.const_data_ptr<double>()[k]);
    out.data_ptr<double>()[k] = point.log_slope - 0.5 * point.value * point.value - constant;
  }
  return out;
}

}  // namespace contraflow
