#include "contraflow/log_det/coloring.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

int64_t color_count(const std::vector<int64_t>& colors) {
  return *std::max_element(colors.begin(), colors.end()) + 1;
}

}  // namespace

void check_colors(const std::vector<int64_t>& colors, ProbeKind probe, int64_t dim) {
  constexpr const char* kWhere = "log_det";
  if (std::ssize(colors) != dim) {
    fail<ConfigError>(kWhere, "colors", c10::str("one colour for each of ", dim, " features"),
                      c10::str(colors.size(), " colours"),
                      "Give one for each feature, or leave colors empty.");
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
