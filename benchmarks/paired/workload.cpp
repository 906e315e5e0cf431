#include "benchmarks/paired/workload.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"

namespace contraflow::bench {
namespace {

using Maker = WorkloadPtr (*)(const WorkerOptions&);
constexpr std::pair<const char*, Maker> kWorkloads[] = {
    {"residual_block_exact", make_training},
    {"residual_43d_unbiased", make_training},
    {"idensenet_toy", make_training},
    {"monotone_toy", make_training},
    {"log_prob_8d", make_log_prob},
    {"inverse_8d", make_inverse},
    {"gradient_variance_43d", make_gradient_variance},
    {"gemm_512", make_gemm},
    {"series_gradient", make_gemm},  // the same work at any size: memory.py
    {"residual_conv", make_gradient_step},
    {"residual_conv_bfloat16", make_gradient_step},
    {"residual_conv_tf32", make_gradient_step},
    {"conv_variance", make_gradient_variance},
    {"conv_rate", make_gemm},
    {"series_conv", make_gemm},
};

}  // namespace

std::vector<std::string> workload_names() {
  std::vector<std::string> names;
  for (const auto& [name, make] : kWorkloads) names.emplace_back(name);
  return names;
}

WorkloadPtr make_workload(const WorkerOptions& options) {
  for (const auto& [name, make] : kWorkloads) {
    if (options.name == name) return make(options);
  }
  fail<ConfigError>("benchmark", "case", "one of " + join(workload_names(), ", "),
                    "'" + options.name + "'", "Name one of them.");
}

std::vector<double> time_each(int64_t iterations, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> ms;
  for (int64_t k = 0; k < iterations; ++k) {
    const auto start = Clock::now();
    work();
    ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  return ms;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

}  // namespace contraflow::bench
