#include "contraflow/log_det/coloring.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "contraflow/core/error.h"
#include "contraflow/log_det/log_det.h"

namespace contraflow {
namespace {

int64_t color_count(const std::vector<int64_t>& colors) {
  return *std::max_element(colors.begin(), colors.end()) + 1;
}

// float64 [d, d], 1 where two different features are within `power` edges.
at::Tensor neighbours(const at::Tensor& pattern, int64_t power) {
  const at::Tensor edges = pattern.logical_or(pattern.t()).to(at::kCPU, at::kDouble);
  const at::Tensor step = edges + at::eye(edges.size(0), edges.options());
  at::Tensor reached = step;
  for (int64_t k = 1; k < power; ++k) reached = reached.mm(step).gt(0).to(at::kDouble);
  return reached.gt(0).to(at::kDouble).fill_diagonal_(0).contiguous();
}

}  // namespace

at::Tensor jacobian_pattern(const NetPoint& point, double threshold) {
  const at::Tensor size = std::get<0>(jacobian(point).abs().max(0));
  return size.gt(size.max() * threshold).to(at::kCPU);
}

std::vector<int64_t> color_features(const at::Tensor& pattern, int64_t power) {
  constexpr const char* kWhere = "color_features";
  if (pattern.dim() != 2 || pattern.size(0) != pattern.size(1)) {
    fail<ShapeError>(kWhere, "pattern", "[d, d]", c10::str(pattern.sizes()),
                     "Pass what jacobian_pattern() gives.");
  }
  if (power < 1) {
    fail<DomainError>(kWhere, "power", "at least 1", std::to_string(power),
                      "Pass the highest power of the Jacobian whose trace is to be exact.");
  }
  const int64_t d = pattern.size(0);
  const at::Tensor near = neighbours(pattern, power);
  const at::Tensor degree = near.sum(1);
  const at::Tensor order = degree.argsort(/*stable=*/true, 0, /*descending=*/true);
  const auto* joined = near.const_data_ptr<double>();
  constexpr int64_t kNone = -1;
  std::vector<int64_t> colors(static_cast<size_t>(d), kNone);
  for (int64_t k = 0; k < d; ++k) {
    const auto i = order[k].item<int64_t>();
    std::vector<bool> taken(static_cast<size_t>(d) + 1, false);
    for (int64_t j = 0; j < d; ++j) {
      const int64_t other = colors[static_cast<size_t>(j)];
      if (joined[i * d + j] != 0 && other != kNone) taken[static_cast<size_t>(other)] = true;
    }
    colors[static_cast<size_t>(i)] = std::find(taken.begin(), taken.end(), false) - taken.begin();
  }
  return colors;
}

void check_colors(const std::vector<int64_t>& colors, ProbeKind probe, int64_t dim) {
  constexpr const char* kWhere = "log_det";
  if (std::ssize(colors) != dim) {
    fail<ConfigError>(kWhere, "colors", c10::str("one colour for each of ", dim, " features"),
                      c10::str(colors.size(), " colours"),
                      "Colour the features with color_features(), or leave colors empty.");
  }
  std::vector<int64_t> sorted = colors;
  std::sort(sorted.begin(), sorted.end());
  int64_t next = 0;
  for (const int64_t color : sorted) {
    if (color == next) ++next;
    if (color < 0 || color >= next) {
      fail<ConfigError>(kWhere, "colors", "colours 0, 1, ... without a gap", std::to_string(color),
                        "Number the colours from 0.");
    }
  }
  if (probe != ProbeKind::kRademacher) {
    fail<ConfigError>(kWhere, "probe", "rademacher, with colors", "another law",
                      "Use rademacher: the diagonal is then counted exactly.");
  }
}

at::Tensor colored(const at::Tensor& probes, const std::vector<int64_t>& colors) {
  const int64_t count = color_count(colors), d = probes.size(2);
  const at::Tensor of_feature = at::tensor(colors, at::kLong).to(probes.device());
  const at::Tensor masks =
      at::arange(count, of_feature.options()).unsqueeze(1).eq(of_feature).to(probes.scalar_type()) *
      std::sqrt(static_cast<double>(count));
  return (probes.unsqueeze(1) * masks.view({1, count, 1, d})).flatten(0, 1).contiguous();
}

}  // namespace contraflow
