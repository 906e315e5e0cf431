// Whole training steps through fit(): data, norms, loss, gradients, optimizer.
#include <chrono>

#include "benchmarks/paired/models.h"
#include "contraflow/training/trainer.h"

namespace contraflow::bench {
namespace {

constexpr int64_t kTrainSteps = 200;  // so that solves and norms are those of a flow in training
constexpr int64_t kNever = 1'000'000'000;

class Training final : public Workload {
 public:
  explicit Training(const WorkerOptions& options) : options_(options), flow_(case_flow(options)) {
    train_case(*flow_, options_, kTrainSteps);
  }

  SafetensorsFile shared() const override { return exported(*flow_); }
  nlohmann::ordered_json facts() const override {
    return {{"parameters", parameter_count(*flow_)}, {"batch", case_batch(options_)}};
  }

  // Each call goes on with the weights of the last; the first step of a call is not counted.
  nlohmann::ordered_json run(int64_t iterations) override {
    using Clock = std::chrono::steady_clock;
    std::vector<Clock::time_point> ends;
    TrainerHooks hooks;
    hooks.on_step = [&](const MetricsRecord&) { ends.push_back(Clock::now()); };
    const data::Splits splits{
        .train = case_source(options_, ++calls_), .validation = nullptr, .test = nullptr};
    const TrainReport report = fit(*flow_, splits,
                                   {.steps = iterations + 1,
                                    .batch_size = case_batch(options_),
                                    .adam = {.learning_rate = 1e-3, .weight_decay = 1e-5},
                                    .validate_every = 0,
                                    .checkpoint_every = kNever,
                                    .log_every = kNever},
                                   hooks);
    std::vector<double> ms;
    for (size_t k = 1; k < ends.size(); ++k)
      ms.push_back(std::chrono::duration<double, std::milli>(ends[k] - ends[k - 1]).count());
    return {{"ms", median(ms)}, {"loss", report.loss ? report.loss->mean : 0.0}};
  }

 private:
  WorkerOptions options_;
  FlowPtr flow_;
  uint64_t calls_ = 0;
};

}  // namespace

WorkloadPtr make_training(const WorkerOptions& options) {
  return std::make_unique<Training>(options);
}

}  // namespace contraflow::bench
