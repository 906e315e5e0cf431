// Gradients of the log-likelihood: their variance at d = 43, and the rate of wide products.
#include <ATen/ATen.h>

#include "benchmarks/paired/models.h"

namespace contraflow::bench {
namespace {

constexpr int64_t kTrainSteps = 1000;
constexpr int64_t kTrainStepsOfImages = 60;
constexpr int64_t kWideBatch = 2048;

// The loss of one training step and its gradient as fit() computes them, nothing around it.
void backward(Flow& flow, const at::Tensor& x, const Rng& rng) {
  for (const at::Tensor& p : flow.parameters()) p.mutable_grad().reset();
  const at::Tensor weight =
      at::full({x.size(0)}, -1.0 / static_cast<double>(x.size(0)), x.options());
  flow.add_log_prob_gradient(x, weight, {.condition = {}, .rng = rng, .phase = Phase::kTrain});
}

at::Tensor flat_gradient(const Flow& flow) {
  std::vector<at::Tensor> parts;
  for (const at::Tensor& p : flow.parameters()) {
    const at::Tensor g = p.grad().defined() ? p.grad() : at::zeros_like(p);
    parts.push_back(g.reshape(-1).to(at::kDouble));
  }
  return at::cat(parts);
}

// Summed variance of vectors (Welford).
class RunningVariance {
 public:
  void add(const at::Tensor& value) {
    if (count_ == 0) {
      mean_ = at::zeros_like(value);
      squares_ = at::zeros_like(value);
    }
    ++count_;
    const at::Tensor delta = value - mean_;
    mean_ += delta / static_cast<double>(count_);
    squares_ += delta * (value - mean_);
  }
  int64_t count() const { return count_; }
  double total() const {
    return count_ > 1 ? squares_.sum().item<double>() / static_cast<double>(count_ - 1) : 0.0;
  }

 private:
  int64_t count_ = 0;
  at::Tensor mean_, squares_;
};

bool is_image(const at::Tensor& x) { return x.dim() == 4; }

// A trained flow. Of convolutions no scale is in force: a bound and an estimate of a norm scale
// differently, and both sides should have the same function.
FlowPtr settled_flow(const WorkerOptions& options, const at::Tensor& x) {
  FlowPtr flow = case_flow(options);
  train_case(*flow, options, is_image(x) ? kTrainStepsOfImages : kTrainSteps);
  if (is_image(x)) freeze_scales(*flow, x);
  flow->prepare(x, {.condition = {}, .rng = Rng(6)});
  return flow;
}

// Work on a trained flow and a batch, which the peer gets too.
class OnSettledFlow : public Workload {
 public:
  SafetensorsFile shared() const final {
    SafetensorsFile file = exported(*flow_);
    file.tensors["x"] = x_;
    return file;
  }
  nlohmann::ordered_json facts() const final {
    return {{"parameters", parameter_count(*flow_)}, {"batch", x_.size(0)}};
  }

 protected:
  explicit OnSettledFlow(const WorkerOptions& options)
      : x_(case_events(options, case_batch(options), 1)), flow_(settled_flow(options, x_)) {}
  const at::Tensor& x() const { return x_; }
  Flow& flow() { return *flow_; }

 private:
  at::Tensor x_;
  FlowPtr flow_;
};

class GradientVariance final : public OnSettledFlow {
 public:
  explicit GradientVariance(const WorkerOptions& options) : OnSettledFlow(options) {}

  nlohmann::ordered_json run(int64_t iterations) override {
    std::vector<double> ms;
    for (int64_t k = 0; k < iterations; ++k) {
      const Rng rng = Rng(7).fork(static_cast<uint64_t>(variance_.count()));
      ms.push_back(time_each(1, [&] {
        if (is_image(x())) flow().prepare(x(), {.condition = {}, .rng = rng.fork("prepare")});
        backward(flow(), x(), rng);
      })[0]);
      variance_.add(flat_gradient(flow()));
    }
    return {{"ms", median(ms)}, {"variance", variance_.total()}, {"samples", variance_.count()}};
  }

 private:
  RunningVariance variance_;
};

// The gradient of a training step, norms included and no optimizer: what the peer's case does.
class GradientStep final : public OnSettledFlow {
 public:
  explicit GradientStep(const WorkerOptions& options) : OnSettledFlow(options) {}

  nlohmann::ordered_json run(int64_t iterations) override {
    std::vector<double> norms;
    const double ms = median(time_each(iterations, [&] {
      norms.push_back(time_each(1, [&] { flow().prepare(x()); })[0]);
      backward(flow(), x(), Rng(++calls_));
    }));
    return {{"ms", ms}, {"norms_ms", median(norms)}};
  }

 private:
  uint64_t calls_ = 0;
};

// One block of width 512. A pass of the network is 2 B operations for each multiplication of a row;
// with n terms of the series a gradient takes n + 5 of them: value, n - 1 vector-Jacobian products,
// the tangents (which complete the last term), the reverse over the stacked pair (2), and the
// gradients of the weights (2). Composed, as convolutions run, it takes two more: the value again
// in the backward half, and the series' last product. The algorithm does not need them, so they do
// not count.
class Gemm final : public Workload {
 public:
  explicit Gemm(const WorkerOptions& options)
      : flow_(case_flow(options)),
        batch_(options.batch.value_or(case_event(options).is_row() ? kWideBatch
                                                                   : case_batch(options))),
        x_(case_events(options, batch_, 1)) {
    const ContractiveOptions model = case_model(options);
    const auto series = std::get<TruncatedSeries>(*model.train_log_det);
    gflop_ = 2e-9 * static_cast<double>(batch_ * products_of_a_row(options, model.net) *
                                        model.blocks * (series.terms + 5));
  }

  SafetensorsFile shared() const override { return exported(*flow_); }
  nlohmann::ordered_json facts() const override {
    return {{"parameters", parameter_count(*flow_)}, {"batch", batch_}, {"gflop", gflop_}};
  }
  nlohmann::ordered_json run(int64_t iterations) override {
    const double ms = median(time_each(iterations, [&] { backward(*flow_, x_, Rng(++calls_)); }));
    return {{"ms", ms}, {"gflops", 1e3 * gflop_ / ms}};
  }

 private:
  static int64_t products_of_a_row(const WorkerOptions& options, const NetOptions& net) {
    const EventShape event = case_event(options);
    const int64_t ends = event.is_row() ? event.size() : event.features();
    std::vector<int64_t> widths = net.hidden;
    widths.push_back(ends);
    int64_t before = ends, products = 0;
    for (size_t k = 0; k < widths.size(); ++k) {
      const int64_t kernel = net.kernels.empty() ? 1 : net.kernels[k];
      products += before * widths[k] * kernel * kernel;
      before = widths[k];
    }
    return products * (event.size() / ends);
  }

  FlowPtr flow_;
  int64_t batch_;
  at::Tensor x_;
  double gflop_ = 0.0;
  uint64_t calls_ = 0;
};

}  // namespace

WorkloadPtr make_gradient_variance(const WorkerOptions& options) {
  return std::make_unique<GradientVariance>(options);
}
WorkloadPtr make_gradient_step(const WorkerOptions& options) {
  return std::make_unique<GradientStep>(options);
}
WorkloadPtr make_gemm(const WorkerOptions& options) { return std::make_unique<Gemm>(options); }

}  // namespace contraflow::bench
