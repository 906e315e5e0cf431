#include "contraflow/data/absurd_rows.h"

#include <ATen/ATen.h>

namespace contraflow::data {

AbsurdRows find_absurd(const at::Tensor& z) {
  constexpr double kFar = 1e3, kAlone = 1e2;
  AbsurdRows out{at::zeros({z.size(0)}, at::kBool), std::nullopt};
  for (int64_t c = 0; c < z.size(1); ++c) {
    const at::Tensor away = z.select(1, c).abs();
    const auto [far, row] = away.topk(std::min<int64_t>(away.size(0), 1000));
    int64_t last = -1;  // of the sorted ones, the last that is far from the next
    for (int64_t k = 0; k + 1 < far.size(0) && far[k].item<double>() > kFar; ++k) {
      if (far[k].item<double>() > kAlone * far[k + 1].item<double>()) last = k;
    }
    for (int64_t k = 0; k <= last; ++k) out.mask[row[k].item<int64_t>()] = true;
    const double most = last < 0 ? 0.0 : far[0].item<double>();
    if (most > 0.0 && (!out.worst || most > out.worst->deviations)) {
      out.worst = AbsurdRow{row[0].item<int64_t>(), c, most};
    }
  }
  return out;
}

}  // namespace contraflow::data
