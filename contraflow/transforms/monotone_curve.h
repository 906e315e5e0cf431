#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace contraflow {

/// The curve of one column, in float64: a monotone C1 map of the line onto itself.
///
/// Between two knots it is the rational quadratic that takes their heights and slopes (Gregory and
/// Delbourgo 1982). With t from 0 to 1 along the piece, r = 1 - t, and the slopes p, q of its ends
/// in units of rise / width,
///     value = height + rise t (t + p r) / N,      N = t^2 + r^2 + (p + q) t r,
///     slope = rise / width (q t^2 + 2 t r + p r^2) / N^2,
/// sums of positive terms: any positive slopes give a monotone piece. Beyond an outer knot of slope
/// s, at distance d, it goes on by log(1 + w s d) / w with the weight w of the tail, by s d for
/// w = 0: C1 at the knot, onto the line, and undone by (exp(w v) - 1) / (w s).
///
/// Knots that share a place share height and slope: the piece between them is never met.
struct CurveView {
  const double* place = nullptr;   ///< [knots], not decreasing
  const double* height = nullptr;  ///< [knots], not decreasing, rising where the places do
  const double* slope = nullptr;   ///< [knots], positive
  int64_t knots = 0;               ///< At least one.
  double left = 0.0;               ///< Weight of the tail before the first knot.
  double right = 0.0;              ///< Weight of the tail after the last one.
};

struct CurvePoint {
  double value;
  double log_slope;  ///< Of the map from place to height, at that point.
};

/// Derivatives of one number by what it is made of: knots k and k + 1 of a piece. In a tail, only
/// those of the outer knot and of the weight are not zero.
struct CurveSlopes {
  double by_place = 0.0;
  double by_height = 0.0, by_next_height = 0.0;
  double by_slope = 0.0, by_next_slope = 0.0;
  double by_weight = 0.0;
};

/// Of value and log-slope.
struct CurveDerivatives {
  CurveSlopes value, log_slope;
};

namespace curve {

/// Index of the last knot at or before `v`, -1 before the first: k is followed by piece k, the last
/// knot by the right tail.
inline int64_t knot_before(const double* sorted, int64_t knots, double v) {
  return std::upper_bound(sorted, sorted + knots, v) - sorted - 1;
}

struct Piece {
  double width, rise;
  double p, q;  ///< Slopes of the ends in units of rise / width.
};

inline Piece piece_at(const CurveView& c, int64_t k) {
  const double width = c.place[k + 1] - c.place[k], rise = c.height[k + 1] - c.height[k];
  return {width, rise, c.slope[k] * width / rise, c.slope[k + 1] * width / rise};
}

inline double denominator(const Piece& a, double t, double r) {
  return t * t + r * r + (a.p + a.q) * t * r;
}

inline double bend(const Piece& a, double t, double r) {
  return a.q * t * t + 2.0 * t * r + a.p * r * r;
}

/// The t of a share `part` of the rise, counted from the end whose slope is p. The roots of
/// (1 - b) t^2 + b t = part, each in the form that does not cancel.
inline double part_of_width(double p, double q, double part) {
  const double b = p - part * (p + q - 2.0);
  const double root = std::sqrt(std::max(b * b + 4.0 * (1.0 - b) * part, 0.0));
  return b >= 0.0 ? 2.0 * part / (b + root) : (root - b) / (2.0 * (1.0 - b));
}

/// A tail as a map of the distance from its knot.
inline CurvePoint tail_forward(double distance, double slope, double weight) {
  const double u = slope * distance;
  if (weight == 0.0) return {u, std::log(slope)};
  const double log = std::log1p(weight * u);
  return {log / weight, std::log(slope) - log};
}

inline CurvePoint tail_inverse(double rise, double slope, double weight) {
  const double u = weight == 0.0 ? rise : std::expm1(weight * rise) / weight;
  return {u / slope, std::log(slope) - weight * rise};
}

/// d/dw of log(1 + w u) / w.
inline double by_tail_weight(double u, double weight) {
  const double wu = weight * u;
  constexpr double kSeries = 1e-4;  // below it the two terms agree in half of their digits
  if (wu < kSeries) return -u * u * (0.5 - wu * (2.0 / 3.0));
  return (u / (1.0 + wu) - std::log1p(wu) / weight) / weight;
}

inline CurveDerivatives tail_derivatives(double distance, double slope, double weight,
                                         double side) {
  const double u = slope * distance, falling = 1.0 / (1.0 + weight * u);
  CurveDerivatives out;
  out.value.by_place = slope * falling;
  out.value.by_height = 1.0;
  out.value.by_slope = side * distance * falling;
  out.log_slope.by_place = -side * weight * slope * falling;
  out.log_slope.by_slope = falling / slope;
  if (weight == 0.0) return out;  // a straight tail stays straight
  out.value.by_weight = side * by_tail_weight(u, weight);
  out.log_slope.by_weight = -u * falling;
  return out;
}

inline CurveDerivatives piece_derivatives(const Piece& a, double t, double r) {
  const double n = denominator(a, t, r), m = bend(a, t, r), unit = a.rise / a.width;
  const double share = t * (t + a.p * r) / n;
  const double share_p = t * r * r * (r + a.q * t) / (n * n);
  const double share_q = -t * t * r * (t + a.p * r) / (n * n);
  const double log_p = r * r / m - 2.0 * t * r / n, log_q = t * t / m - 2.0 * t * r / n;
  CurveDerivatives out;
  out.value.by_place = unit * m / (n * n);
  out.value.by_next_height = share - a.p * share_p - a.q * share_q;
  out.value.by_height = 1.0 - out.value.by_next_height;
  out.value.by_slope = a.width * share_p;
  out.value.by_next_slope = a.width * share_q;
  const double m_t = 2.0 * (a.q * t + r - t - a.p * r), n_t = (a.p + a.q - 2.0) * (r - t);
  out.log_slope.by_place = (m_t / m - 2.0 * n_t / n) / a.width;
  out.log_slope.by_next_height = (1.0 - a.p * log_p - a.q * log_q) / a.rise;
  out.log_slope.by_height = -out.log_slope.by_next_height;
  out.log_slope.by_slope = log_p / unit;
  out.log_slope.by_next_slope = log_q / unit;
  return out;
}

}  // namespace curve

/// The curve at x.
inline CurvePoint curve_forward(const CurveView& c, double x) {
  const int64_t k = curve::knot_before(c.place, c.knots, x), last = c.knots - 1;
  if (k < 0) {
    const CurvePoint tail = curve::tail_forward(c.place[0] - x, c.slope[0], c.left);
    return {c.height[0] - tail.value, tail.log_slope};
  }
  if (k == last) {
    const CurvePoint tail = curve::tail_forward(x - c.place[last], c.slope[last], c.right);
    return {c.height[last] + tail.value, tail.log_slope};
  }
  const curve::Piece piece = curve::piece_at(c, k);
  const double t = (x - c.place[k]) / piece.width, r = (c.place[k + 1] - x) / piece.width;
  const double n = curve::denominator(piece, t, r);
  return {c.height[k] + piece.rise * t * (t + piece.p * r) / n,
          std::log(piece.rise / piece.width * curve::bend(piece, t, r) / (n * n))};
}

/// The place x where the curve has the height z, and the log-slope there.
inline CurvePoint curve_inverse(const CurveView& c, double z) {
  const int64_t k = curve::knot_before(c.height, c.knots, z), last = c.knots - 1;
  if (k < 0) {
    const CurvePoint tail = curve::tail_inverse(c.height[0] - z, c.slope[0], c.left);
    return {c.place[0] - tail.value, tail.log_slope};
  }
  if (k == last) {
    const CurvePoint tail = curve::tail_inverse(z - c.height[last], c.slope[last], c.right);
    return {c.place[last] + tail.value, tail.log_slope};
  }
  const curve::Piece piece = curve::piece_at(c, k);
  const double up = (z - c.height[k]) / piece.rise, down = (c.height[k + 1] - z) / piece.rise;
  const bool early = up <= down;  // from the nearer end, where nothing cancels
  const double part = early ? curve::part_of_width(piece.p, piece.q, up)
                            : curve::part_of_width(piece.q, piece.p, down);
  const double t = early ? part : 1.0 - part, r = early ? 1.0 - part : part;
  const double n = curve::denominator(piece, t, r);
  return {early ? c.place[k] + piece.width * part : c.place[k + 1] - piece.width * part,
          std::log(piece.rise / piece.width * curve::bend(piece, t, r) / (n * n))};
}

/// Derivatives at x, and the knot k that they are by.
inline CurveDerivatives curve_derivatives(const CurveView& c, double x, int64_t& k) {
  const int64_t before = curve::knot_before(c.place, c.knots, x), last = c.knots - 1;
  k = std::max<int64_t>(before, 0);
  if (before < 0) return curve::tail_derivatives(c.place[0] - x, c.slope[0], c.left, -1.0);
  if (k == last) return curve::tail_derivatives(x - c.place[k], c.slope[k], c.right, 1.0);
  const curve::Piece piece = curve::piece_at(c, k);
  return curve::piece_derivatives(piece, (x - c.place[k]) / piece.width,
                                  (c.place[k + 1] - x) / piece.width);
}

}  // namespace contraflow
