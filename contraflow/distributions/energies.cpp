#include "contraflow/distributions/energies.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <numbers>

#include "contraflow/core/check.h"

namespace contraflow {
namespace {

// ((x - centre) / width)^2 / 2
at::Tensor bowl(const at::Tensor& x, double centre, double width) {
  return ((x - centre) / width).square() / 2;
}

// -log(exp(-a) + exp(-b))
at::Tensor either(const at::Tensor& a, const at::Tensor& b) { return -at::logaddexp(-a, -b); }

at::Tensor wave(const at::Tensor& x1) { return at::sin(2 * std::numbers::pi * x1 / 4); }

at::Tensor wall(const at::Tensor& x1) { return bowl((x1.abs() - 4).clamp_min(0), 0, 0.4); }

}  // namespace

std::optional<EnergyKind> find_energy(std::string_view name) {
  for (const auto& [known, kind] : enum_names(EnergyKind{})) {
    if (name == known) return kind;
  }
  return std::nullopt;
}

at::Tensor energy(EnergyKind kind, const at::Tensor& x) {
  check_event("energy", "x", x, {2});
  check_floating("energy", "x", x);
  const at::Tensor x1 = x.select(1, 0), x2 = x.select(1, 1);
  switch (kind) {
    case EnergyKind::kU1:
      return bowl(at::linalg_vector_norm(x, 2, at::IntArrayRef{1}), 2, 0.4) +
             either(bowl(x1, 2, 0.6), bowl(x1, -2, 0.6));
    case EnergyKind::kU2:
      return bowl(x2 - wave(x1), 0, 0.4) + wall(x1);
    case EnergyKind::kU3: {
      const at::Tensor bump = 3 * at::exp(-bowl(x1, 1, 0.6));
      return either(bowl(x2 - wave(x1), 0, 0.35), bowl(x2 - wave(x1) + bump, 0, 0.35)) + wall(x1);
    }
    case EnergyKind::kU4:
      break;
  }
  const at::Tensor step = 3 * at::sigmoid((x1 - 1) / 0.3);
  return either(bowl(x2 - wave(x1), 0, 0.4), bowl(x2 - wave(x1) + step, 0, 0.35)) + wall(x1);
}

double log_normaliser(EnergyKind kind) {
  constexpr int64_t kCells = 1000;
  constexpr double kHalf = 8.0, kStep = 2 * kHalf / kCells;
  const at::NoGradGuard guard;
  const at::Tensor axis = -kHalf + kStep * (at::arange(kCells, at::kDouble) + 0.5);
  const at::Tensor points = at::cartesian_prod({axis, axis});
  return at::logsumexp(-energy(kind, points), 0).item<double>() + 2 * std::log(kStep);
}

}  // namespace contraflow
