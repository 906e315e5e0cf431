#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/safetensors.h"
#include "contraflow/distributions/flow.h"

namespace contraflow::bench {

/// What a worker was started with; unset members take the case's own value.
struct WorkerOptions {
  std::string name = {};         ///< Which case.
  std::string export_path = {};  ///< Where the model goes for the peer; empty = nowhere.
  std::string checkpoint = {};   ///< Weights of a run instead of a short training.
  int64_t threads = 2;
  int64_t seed = 0;
  std::optional<int64_t> batch = {};  ///< 500; of convolutions 16
  int64_t rows = 4000;                ///< Of log_prob and of the inverse.
  int64_t chunk = 1000;               ///< Rows evaluated at a time.
  std::optional<int64_t> train_steps = {};
  std::optional<int64_t> dim = {};
  std::optional<int64_t> blocks = {};
  std::optional<int64_t> width = {};     ///< Hidden width, or growth of a dense net.
  std::optional<int64_t> terms = {};     ///< Of a truncated series.
  std::optional<double> tolerance = {};  ///< Of the solves of a training step.
  double true_error = 1e-6;
};

/// One case: work that can be repeated and timed.
class Workload {
 public:
  virtual ~Workload() = default;
  /// The model for the peer, with whatever else both sides must share.
  virtual SafetensorsFile shared() const = 0;
  /// Facts for the hello.
  virtual nlohmann::ordered_json facts() const = 0;
  /// {"ms": median per iteration, ...}.
  virtual nlohmann::ordered_json run(int64_t iterations) = 0;
};

using WorkloadPtr = std::unique_ptr<Workload>;

std::vector<std::string> workload_names();
/// ConfigError for an unknown name, with those there are.
WorkloadPtr make_workload(const WorkerOptions& options);

WorkloadPtr make_training(const WorkerOptions& options);
WorkloadPtr make_log_prob(const WorkerOptions& options);
WorkloadPtr make_inverse(const WorkerOptions& options);
WorkloadPtr make_gradient_variance(const WorkerOptions& options);
WorkloadPtr make_gemm(const WorkerOptions& options);
WorkloadPtr make_gradient_step(const WorkerOptions& options);

/// Milliseconds of each of `iterations` calls.
std::vector<double> time_each(int64_t iterations, const std::function<void()>& work);
double median(std::vector<double> values);

}  // namespace contraflow::bench
