#include "contraflow/data/toy.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "contraflow/core/error.h"
#include "contraflow/core/parallel.h"
#include "contraflow/core/text.h"
#include "contraflow/core/unknown_name.h"
#include "contraflow/data/message.h"

namespace contraflow::data {
namespace {

using Point = std::array<double, 2>;
constexpr double kPi = std::numbers::pi;

// Random numbers of one sample, in blocks of two, so that each use below names its own block.
class Draws {
 public:
  Draws(const Rng& rng, int64_t row) : rng_(rng), row_(row) {}

  // Two independent uniforms in (0, 1).
  Point uniforms(uint64_t block) const {
    const auto w = rng_.words(row_, block);
    return {unit(w[0], w[1]), unit(w[2], w[3])};
  }
  // Two independent standard normals (Box-Muller) out of one block.
  Point normals(uint64_t block) const {
    const Point u = uniforms(block);
    const double radius = std::sqrt(-2.0 * std::log(u[0]));
    const double angle = 2.0 * kPi * u[1];
    return {radius * std::cos(angle), radius * std::sin(angle)};
  }

 private:
  static double unit(uint32_t high, uint32_t low) {
    const uint64_t bits = (uint64_t{high} << 21) | (uint64_t{low} >> 11);
    return (static_cast<double>(bits) + 0.5) * 0x1p-53;
  }
  const Rng& rng_;
  int64_t row_;
};

ToyRow swissroll(const Rng& rng, int64_t row) {
  const Draws draws(rng, row);
  const double t = 1.5 * kPi * (1.0 + 2.0 * draws.uniforms(0)[0]);
  const Point n = draws.normals(1);
  return {{(t * std::cos(t) + n[0]) / 5.0, (t * std::sin(t) + n[1]) / 5.0}};
}

ToyRow circles(const Rng& rng, int64_t row) {
  const Draws draws(rng, row);
  const Point u = draws.uniforms(0);
  const Point n = draws.normals(1);
  const int64_t ring = u[0] < 0.5 ? 0 : 1;
  const double radius = ring == 0 ? 1.0 : 0.5;
  const double angle = 2.0 * kPi * u[1];
  return {{3.0 * (radius * std::cos(angle) + 0.08 * n[0]),
           3.0 * (radius * std::sin(angle) + 0.08 * n[1])},
          ring};
}

ToyRow rings(const Rng& rng, int64_t row) {
  const Draws draws(rng, row);
  const Point u = draws.uniforms(0);
  const Point n = draws.normals(1);
  const double ring = std::floor(4.0 * u[0]);
  const double radius = 0.25 * (1.0 + ring);
  const double angle = 2.0 * kPi * u[1];
  return {
      {3.0 * radius * std::cos(angle) + 0.08 * n[0], 3.0 * radius * std::sin(angle) + 0.08 * n[1]},
      static_cast<int64_t>(ring)};
}

ToyRow moons(const Rng& rng, int64_t row) {
  const Draws draws(rng, row);
  const Point u = draws.uniforms(0);
  const Point n = draws.normals(1);
  const double angle = kPi * u[1];
  Point p{std::cos(angle), std::sin(angle)};
  const int64_t moon = u[0] < 0.5 ? 0 : 1;
  if (moon == 1) p = {1.0 - p[0], 0.5 - p[1]};
  return {{2.0 * (p[0] + 0.1 * n[0]) - 1.0, 2.0 * (p[1] + 0.1 * n[1]) - 0.2}, moon};
}

ToyRow eight_gaussians(const Rng& rng, int64_t row) {
  const Draws draws(rng, row);
  const double mode = std::floor(8.0 * draws.uniforms(0)[0]);
  const double angle = 0.25 * kPi * mode;
  const Point n = draws.normals(1);
  // 1.414, not the square root of two: the published experiments round it.
  return {
      {(4.0 * std::cos(angle) + 0.5 * n[0]) / 1.414, (4.0 * std::sin(angle) + 0.5 * n[1]) / 1.414},
      static_cast<int64_t>(mode)};
}

ToyRow pinwheel(const Rng& rng, int64_t row) {
  const Draws draws(rng, row);
  const double arm = std::floor(5.0 * draws.uniforms(0)[0]);
  const Point n = draws.normals(1);
  const Point f{1.0 + 0.3 * n[0], 0.1 * n[1]};
  const double angle = 2.0 * kPi * arm / 5.0 + 0.25 * std::exp(f[0]);
  const double c = std::cos(angle);
  const double s = std::sin(angle);
  return {{2.0 * (f[0] * c + f[1] * s), 2.0 * (-f[0] * s + f[1] * c)}, static_cast<int64_t>(arm)};
}

ToyRow two_spirals(const Rng& rng, int64_t row) {
  const Draws draws(rng, row);
  const Point u = draws.uniforms(0);
  const Point jitter = draws.uniforms(1);
  const Point n = draws.normals(2);
  const double t = 3.0 * kPi * std::sqrt(u[0]);
  const int64_t arm = u[1] < 0.5 ? 0 : 1;
  const double sign = arm == 0 ? 1.0 : -1.0;
  const Point d{-t * std::cos(t) + 0.5 * jitter[0], t * std::sin(t) + 0.5 * jitter[1]};
  return {{sign * d[0] / 3.0 + 0.1 * n[0], sign * d[1] / 3.0 + 0.1 * n[1]}, arm};
}

ToyRow checkerboard(const Rng& rng, int64_t row) {
  const Draws draws(rng, row);
  const Point u = draws.uniforms(0);
  const double lower = draws.uniforms(1)[0] < 0.5 ? 2.0 : 0.0;
  const double x = 4.0 * u[0] - 2.0;
  const double cell = std::floor(x);
  const double odd = cell - 2.0 * std::floor(0.5 * cell);  // floor(x) mod 2, as for negative x too
  const auto column = static_cast<int64_t>(cell) + 2;      // 0 .. 3, each of two squares
  return {{2.0 * x, 2.0 * (u[1] - lower + odd)}, 2 * column + (lower == 0.0 ? 1 : 0)};
}

ToyRow line(const Rng& rng, int64_t row) {
  const double x = 5.0 * Draws(rng, row).uniforms(0)[0] - 2.5;
  return {{x, x}};
}

ToyRow cosine(const Rng& rng, int64_t row) {  // a sine, in spite of the name it goes by
  const double x = 5.0 * Draws(rng, row).uniforms(0)[0] - 2.5;
  return {{x, 2.5 * std::sin(x)}};
}

// u1 to u4: samples of exp(-U)/Z for the energies of distributions/energies.cpp, which factor.

// A ring of radius 2 times two vertical strips: rejection from the ring. Radii above 2 + 6 * .4
// have probability 1e-9 and are left out.
ToyRow u1(const Rng& rng, int64_t row) {
  constexpr double kMostRadius = 4.4;
  const auto strip = [](double x, double centre) {
    const double z = (x - centre) / 0.6;
    return std::exp(-0.5 * z * z);
  };
  const Draws draws(rng, row);
  for (uint64_t trial = 0;; ++trial) {
    const Point u = draws.uniforms(3 * trial), v = draws.uniforms(3 * trial + 1);
    const double radius = 2.0 + 0.4 * draws.normals(3 * trial + 2)[0];
    if (radius > kMostRadius || u[0] * kMostRadius > radius) continue;  // the area element is r dr
    const Point x{radius * std::cos(2.0 * kPi * u[1]), radius * std::sin(2.0 * kPi * u[1])};
    if (v[0] * (1.0 + strip(2.0, -2.0)) < strip(x[0], 2.0) + strip(x[0], -2.0)) return {x};
  }
}

// The first coordinate of u2 to u4: uniform on [-4, 4] with half a Gaussian of width .4 at each
// end.
double walled(const Draws& draws, uint64_t block) {
  const double root = std::sqrt(2.0 * kPi) * 0.4;
  const Point u = draws.uniforms(block);
  if (u[0] * (8.0 + root) < 8.0) return 8.0 * u[1] - 4.0;
  const double beyond = 0.4 * draws.normals(block + 1)[0];
  return beyond + std::copysign(4.0, beyond);
}

double wave(double x) { return std::sin(2.0 * kPi * x / 4.0); }

ToyRow u2(const Rng& rng, int64_t row) {
  const Draws draws(rng, row);
  const double x = walled(draws, 0);
  return {{x, wave(x) + 0.4 * draws.normals(2)[0]}};
}

ToyRow u3(const Rng& rng, int64_t row) {
  const Draws draws(rng, row);
  const double x = walled(draws, 0), z = (x - 1.0) / 0.6;
  const double below = draws.uniforms(3)[0] < 0.5 ? 3.0 * std::exp(-0.5 * z * z) : 0.0;
  return {{x, wave(x) - below + 0.35 * draws.normals(2)[0]}};
}

// The branches have the weights of their widths, .4 and .35.
ToyRow u4(const Rng& rng, int64_t row) {
  const Draws draws(rng, row);
  const double x = walled(draws, 0), n = draws.normals(2)[0];
  if (draws.uniforms(3)[0] * 0.75 < 0.4) return {{x, wave(x) + 0.4 * n}};
  return {{x, wave(x) - 3.0 / (1.0 + std::exp(-(x - 1.0) / 0.3)) + 0.35 * n}};
}

// Entropies given the label are quadratures of the parts' own densities; where parts do not touch
// (rings, checkerboard) they are the entropy less the logarithm of the number of parts.
constexpr std::array kDensities{
    ToyDensity{"swissroll", 2.6700, 4.0, swissroll},
    ToyDensity{"circles", 3.2683, 4.0, circles, 2, 2.5776},
    ToyDensity{"rings", 2.6232, 4.0, rings, 4, 1.2369},
    ToyDensity{"moons", 2.3944, 4.0, moons, 2, 1.7026},
    ToyDensity{"8gaussians", 2.8322, 4.5, eight_gaussians, 8, 0.7587},
    ToyDensity{"pinwheel", 2.3185, 4.5, pinwheel, 5, 0.7148},
    ToyDensity{"2spirals", 2.6466, 4.0, two_spirals, 2, 1.9536},
    ToyDensity{"checkerboard", 5.0 * std::numbers::ln2, 4.0, checkerboard, 8,
               2.0 * std::numbers::ln2},
    ToyDensity{"line", std::nullopt, 3.0, line},
    ToyDensity{"cos", std::nullopt, 3.0, cosine},
    ToyDensity{"u1", 2.66001, 4.0, u1},
    ToyDensity{"u2", 2.75585, 5.5, u2},
    ToyDensity{"u3", 2.78063, 5.5, u3},
    ToyDensity{"u4", 2.99022, 5.5, u4},
};

template <class T>
void fill(const ToyDensity& density, const Rng& rng, at::Tensor& out) {
  T* data = out.data_ptr<T>();
  const int64_t width = out.size(1);
  constexpr int64_t kGrain = 128;  // below, starting threads costs more than the rows do
  parallel_for(0, out.size(0), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const ToyRow row = density.draw(rng, rng.first_row() + r);
      T* to = data + width * r;
      to[0] = static_cast<T>(row.x[0]);
      to[1] = static_cast<T>(row.x[1]);
      if (width > 2) to[2] = static_cast<T>(row.label);
    }
  });
}

// x0, x1 and, in a third column, the label.
at::Tensor sample_columns(const ToyDensity& density, const Rng& rng, int64_t count,
                          at::ScalarType dtype, int64_t width) {
  if (count < 0) {
    fail<ShapeError>("sample_toy", "count", ">= 0", std::to_string(count),
                     "Ask for 0 rows or more.");
  }
  if (dtype != at::kFloat && dtype != at::kDouble) {
    fail<DtypeError>("sample_toy", "dtype", "float32 or float64", c10::toString(dtype),
                     "Draw in float64 and convert.");
  }
  at::Tensor out = at::empty({count, width}, at::TensorOptions().dtype(dtype));
  if (dtype == at::kFloat) {
    fill<float>(density, rng, out);
  } else {
    fill<double>(density, rng, out);
  }
  return out;
}

}  // namespace

std::span<const ToyDensity> toy_densities() { return kDensities; }

const ToyDensity* find_toy(std::string_view name) {
  for (const ToyDensity& density : kDensities) {
    if (density.name == name) return &density;
  }
  return nullptr;
}

const ToyDensity& toy_density(std::string_view name) {
  if (const ToyDensity* found = find_toy(name)) return *found;
  std::vector<std::string> names;
  for (const ToyDensity& density : kDensities) names.emplace_back(density.name);
  const UnknownName unknown = unknown_name(name, names, "contraflow list data");
  fail<ConfigError>("toy_density", "name", unknown.expected, in_quotes(name), unknown.remedy);
}

std::vector<std::string> toy_columns(const ToyDensity& density) {
  if (density.labels > 1) return {"x0", "x1", "label"};
  return {"x0", "x1"};
}

at::Tensor sample_toy(const ToyDensity& density, const Rng& rng, int64_t count,
                      at::ScalarType dtype) {
  return sample_columns(density, rng, count, dtype, 2);
}

at::Tensor sample_toy_rows(const ToyDensity& density, const Rng& rng, int64_t count,
                           at::ScalarType dtype) {
  return sample_columns(density, rng, count, dtype, density.labels > 1 ? 3 : 2);
}

}  // namespace contraflow::data
