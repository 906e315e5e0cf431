// log_prob of many rows, and the inverse run to a true error, at d = 8.
#include <ATen/ATen.h>

#include "benchmarks/paired/models.h"
#include "contraflow/core/error.h"
#include "contraflow/training/state.h"

namespace contraflow::bench {
namespace {

constexpr int64_t kOwnChunk = 1 << 17;  // rows

constexpr int64_t kTrainSteps = 200;
constexpr uint64_t kTestStream = 1;
constexpr double kQuantile = 0.999;  // as the peer's error_quantile
constexpr double kTight = 1e-12;
constexpr int64_t kCalibrationRows = 1000;

FlowPtr trained(const WorkerOptions& options) {
  FlowPtr flow = case_flow(options);
  train_case(*flow, options, kTrainSteps);
  freeze_scales(*flow);
  return flow;
}

class LogProb final : public Workload {
 public:
  explicit LogProb(const WorkerOptions& options)
      : options_(options),
        flow_(trained(options)),
        x_(table_rows(case_dim(options), options.rows, kTestStream)) {}

  SafetensorsFile shared() const override {
    SafetensorsFile file = exported(*flow_);
    file.tensors["x"] = x_;
    file.tensors["log_prob"] = evaluate();
    return file;
  }
  nlohmann::ordered_json facts() const override {
    return {{"parameters", parameter_count(*flow_)}, {"rows", options_.rows}};
  }
  nlohmann::ordered_json run(int64_t iterations) override {
    return {{"ms", median(time_each(iterations, [&] { evaluate(); }))}};
  }

 private:
  at::Tensor evaluate() const {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> parts;
    for (const at::Tensor& part : x_.split(kOwnChunk)) parts.push_back(flow_->log_prob(part));
    return at::cat(parts);
  }

  WorkerOptions options_;
  FlowPtr flow_;
  at::Tensor x_;
};

class InverseSolve final : public Workload {
 public:
  explicit InverseSolve(const WorkerOptions& options)
      : options_(options), model_(trained(options)) {
    const at::NoGradGuard no_grad;
    const at::Tensor x = table_rows(case_dim(options), options.rows, kTestStream);
    z_ = model_->transform()->forward(x).value;
    reference_ = invert(*with_tolerance(kTight, at::kDouble), calibration_rows());
    choose();
  }

  SafetensorsFile shared() const override {
    SafetensorsFile file = exported(*model_);
    file.tensors["z"] = z_;
    file.tensors["reference"] = reference_;
    return file;
  }
  nlohmann::ordered_json facts() const override {
    return {{"parameters", parameter_count(*model_)},
            {"rows", options_.rows},
            {"dtype", dtype_ == at::kFloat ? "float32" : "float64"}};
  }
  nlohmann::ordered_json run(int64_t iterations) override {
    const at::Tensor z = z_.to(dtype_);
    const auto work = [&] { invert(*chosen_, z); };
    return {{"ms", median(time_each(iterations, work))},
            {"true_error", error_},
            {"tolerance", tolerance_}};
  }

 private:
  FlowPtr with_tolerance(double tolerance, at::ScalarType dtype) const {
    ContractiveOptions model = case_model(options_);
    model.tolerance = tolerance;
    FlowPtr flow =
        build_flow(contractive_spec(model, {.event = case_dim(options_)}), options_.name);
    copy_state(state_of(*flow), state_of(*model_), {"benchmark", "the trained flow"});
    flow->to(dtype);
    return flow;
  }

  // Our chunks are large: tiles keep the activations in cache.
  at::Tensor invert(const Flow& flow, const at::Tensor& z) const {
    const at::NoGradGuard no_grad;
    const auto dtype = first_floating_tensor(flow).scalar_type();
    Context context;
    context.hints.wants_log_det = false;  // normflows' solve gives none
    std::vector<at::Tensor> parts;
    for (const at::Tensor& part : z.to(dtype).split(kOwnChunk))
      parts.push_back(flow.transform()->inverse(part, context).value);
    return at::cat(parts);
  }

  at::Tensor calibration_rows() const {
    return z_.narrow(0, 0, std::min(kCalibrationRows, z_.size(0)));
  }

  // The loosest tolerance, float32 before float64, whose true error is small enough.
  void choose() {
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
      for (int exponent = 4; exponent <= 22; ++exponent) {
        tolerance_ = std::pow(10.0, -0.5 * exponent);
        chosen_ = with_tolerance(tolerance_, dtype);
        dtype_ = dtype;
        const at::Tensor error = at::linalg_vector_norm(
            invert(*chosen_, calibration_rows()).to(at::kDouble) - reference_, 2, {1});
        error_ = error.quantile(kQuantile).item<double>();
        if (error_ <= options_.true_error) return;
      }
    }
    fail<ConfigError>("benchmark", "true error", c10::str("at most ", options_.true_error),
                      c10::str(error_), "Raise --true-error.");
  }

  WorkerOptions options_;
  FlowPtr model_, chosen_;
  at::Tensor z_, reference_;
  at::ScalarType dtype_ = at::kFloat;
  double tolerance_ = 0.0;
  double error_ = 0.0;
};

}  // namespace

WorkloadPtr make_log_prob(const WorkerOptions& options) {
  return std::make_unique<LogProb>(options);
}
WorkloadPtr make_inverse(const WorkerOptions& options) {
  return std::make_unique<InverseSolve>(options);
}

}  // namespace contraflow::bench
