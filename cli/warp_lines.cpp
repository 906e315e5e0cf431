// Lines of the base space carried to the data, with more points where the map stretches.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "cli/figure_data.h"
#include "contraflow/evaluation/samples.h"
#include "contraflow/evaluation/scores.h"

namespace contraflow::cli {
namespace {

/// Longest piece of a line, as a share of the picture's side.
constexpr double kLongestPiece = 0.01;
/// A piece is halved so often at most: where the map jumps, no number of points is enough.
constexpr int kMostRounds = 12;
constexpr int64_t kMostLinePoints = 400'000;

plot::PointList images_of(const Flow& flow, const plot::PointList& base, const at::Tensor& given) {
  const at::NoGradGuard no_grad;
  const at::Tensor z = at::tensor(base, at::kDouble).view({-1, 2}).to(kind_of(flow));
  const Context context{.condition = condition_for(flow, given, z.size(0))};
  return points_of(flow.transform()->inverse(z, context).value);
}

/// Both ends lie beyond the same side, where nothing is drawn.
bool is_outside(double a, double b, const plot::Range& range) {
  return (a < range.lo && b < range.lo) || (a > range.hi && b > range.hi);
}

bool is_long(const plot::PointList& data, size_t i, const Box& box) {
  const double dx = data[i + 2] - data[i], dy = data[i + 3] - data[i + 1];
  const double length = std::hypot(dx / box.x.width(), dy / box.y.width());
  if (!std::isfinite(length) || length <= kLongestPiece) return false;
  return !is_outside(data[i], data[i + 2], box.x) && !is_outside(data[i + 1], data[i + 3], box.y);
}

/// Numbers of the points with a long piece after them.
std::vector<size_t> long_pieces(const plot::WarpLine& line, const Box& box) {
  std::vector<size_t> pieces;
  for (size_t i = 0; i + 3 < line.data.size(); i += 2) {
    if (is_long(line.data, i, box)) pieces.push_back(i / 2);
  }
  return pieces;
}

plot::PointList middles(const plot::PointList& base, const std::vector<size_t>& pieces) {
  plot::PointList points;
  for (const size_t k : pieces) {
    for (size_t axis = 0; axis < 2; ++axis) {
      points.push_back(0.5 * (base[2 * k + axis] + base[2 * k + 2 + axis]));
    }
  }
  return points;
}

/// `points` with one of `added` after each of the numbered ones.
plot::PointList inserted(const plot::PointList& points, const std::vector<size_t>& after,
                         const double* added) {
  plot::PointList out;
  size_t next = 0;
  for (size_t k = 0; 2 * k < points.size(); ++k) {
    out.insert(out.end(), {points[2 * k], points[2 * k + 1]});
    if (next == after.size() || after[next] != k) continue;
    out.insert(out.end(), {added[2 * next], added[2 * next + 1]});
    ++next;
  }
  return out;
}

/// One more point in every long piece of all lines; false if there was none.
bool refine(const Flow& flow, std::vector<plot::WarpLine>& lines, const Box& box,
            const at::Tensor& given) {
  std::vector<std::vector<size_t>> pieces;
  plot::PointList base;
  for (const plot::WarpLine& line : lines) {
    pieces.push_back(long_pieces(line, box));
    const plot::PointList points = middles(line.base, pieces.back());
    base.insert(base.end(), points.begin(), points.end());
  }
  if (base.empty()) return false;
  const plot::PointList data = images_of(flow, base, given);
  size_t at = 0;
  for (size_t k = 0; k < lines.size(); ++k) {
    lines[k] = {inserted(lines[k].base, pieces[k], base.data() + at),
                inserted(lines[k].data, pieces[k], data.data() + at)};
    at += 2 * pieces[k].size();
  }
  return true;
}

int64_t count_points(const std::vector<plot::WarpLine>& lines) {
  int64_t count = 0;
  for (const plot::WarpLine& line : lines) count += std::ssize(line.base) / 2;
  return count;
}

}  // namespace

std::vector<plot::WarpLine> warp_lines(const Flow& flow, const std::vector<plot::PointList>& lines,
                                       const Box& box, const at::Tensor& given) {
  plot::PointList all;
  for (const plot::PointList& line : lines) all.insert(all.end(), line.begin(), line.end());
  const plot::PointList images = images_of(flow, all, given);
  std::vector<plot::WarpLine> out;
  auto at = images.begin();
  for (const plot::PointList& line : lines) {
    out.push_back({line, {at, at + std::ssize(line)}});
    at += std::ssize(line);
  }
  for (int round = 0; round < kMostRounds && count_points(out) < kMostLinePoints; ++round) {
    if (!refine(flow, out, box, given)) break;
  }
  return out;
}

}  // namespace contraflow::cli
