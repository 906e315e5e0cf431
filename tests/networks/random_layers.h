#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "contraflow/core/rng.h"

namespace contraflow::testing {

inline double svd_norm(const at::Tensor& w) {
  return std::get<1>(at::linalg_svd(w.detach().to(at::kDouble))).max().item<double>();
}

struct Layer {
  std::string name;
  at::Tensor weight;
};

// 200 layers of many shapes: Gaussian, orthogonal, rank one, flat with one peak, nearly equal top
// values, tiny and huge scales, constant, zero columns.
inline std::vector<Layer> random_layers() {
  std::vector<Layer> out;
  const int64_t shapes[][2] = {{1, 1},   {2, 16},  {16, 2},  {8, 8},
                               {33, 20}, {64, 64}, {5, 128}, {128, 40}};
  for (uint64_t k = 0; out.size() < 200; ++k) {
    const auto* shape = shapes[k % 8];
    const int64_t o = shape[0], i = shape[1];
    const int64_t n = std::min(o, i);
    const at::Tensor g = Rng(k).normal({o, i}, at::kDouble);
    const auto [u, s, v] = at::linalg_svd(g, /*full_matrices=*/false);
    const auto with_values = [&, u = u, v = v](const at::Tensor& values) {
      return u.mm(values.diag()).mm(v);
    };
    out.push_back({"gaussian", g});
    out.push_back({"orthogonal", u.mm(v)});
    out.push_back({"rank_one", with_values(at::cat({at::ones({1}, at::kDouble),
                                                    at::zeros({n - 1}, at::kDouble)}))});
    out.push_back({"clustered", with_values(1 - 1e-4 * at::arange(n, at::kDouble) / n)});
    out.push_back({"tiny", g * 1e-30});
    out.push_back({"huge", g * 1e30});
    out.push_back({"constant", at::ones({o, i}, at::kDouble)});
    out.push_back({"float32", g.to(at::kFloat)});
  }
  out.resize(200);
  return out;
}

}  // namespace contraflow::testing
