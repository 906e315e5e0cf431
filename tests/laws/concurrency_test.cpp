// "Const members may run concurrently": eight threads use one object and get the bits of one thread.
// `make sanitize` runs this under the thread sanitizer too, which sees races that leave no trace.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <array>
#include <functional>
#include <latch>
#include <thread>

#include "contraflow/bases/normal.h"
#include "contraflow/data/prefetch.h"
#include "contraflow/data/sources.h"
#include "contraflow/distributions/flow_spec.h"
#include "contraflow/models/presets.h"
#include "tests/laws/law_case.h"

namespace contraflow::laws {
namespace {

constexpr size_t kThreads = 8;
constexpr size_t kRounds = 2;

/// What a call gave: tensors, or the text of its error.
struct Outcome {
  std::vector<at::Tensor> tensors;
  std::string error;

  bool operator==(const Outcome& other) const {
    return error == other.error &&
           std::equal(tensors.begin(), tensors.end(), other.tensors.begin(), other.tensors.end(),
                      [](const at::Tensor& a, const at::Tensor& b) { return at::equal(a, b); });
  }
};

using Call = std::function<std::vector<at::Tensor>()>;

Outcome outcome_of(const Call& call) {
  try {
    return {call(), {}};
  } catch (const Error& error) {
    return {{}, error.what()};
  }
}

/// Every thread makes every call, each starting at another one; half of them record graphs.
/// Returns how many of the calls gave tensors.
int expect_the_bits_of_one_thread(const std::vector<Call>& calls) {
  std::array<std::vector<Outcome>, 2> alone;
  for (const bool graphs : {false, true}) {
    const at::AutoGradMode mode(graphs);
    for (const Call& call : calls) alone[graphs].push_back(outcome_of(call));
  }
  std::vector<std::vector<Outcome>> together(kThreads);
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const at::AutoGradMode mode(t % 2 == 1);
      start.arrive_and_wait();
      for (size_t k = 0; k < kRounds * calls.size(); ++k) {
        together[t].push_back(outcome_of(calls[(t + k) % calls.size()]));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 0; t < kThreads; ++t) {
    for (size_t k = 0; k < together[t].size(); ++k) {
      const size_t call = (t + k) % calls.size();
      EXPECT_TRUE(together[t][k] == alone[t % 2][call]) << "thread " << t << ", call " << call;
    }
  }
  return static_cast<int>(std::count_if(alone[0].begin(), alone[0].end(),
                                        [](const Outcome& one) { return one.error.empty(); }));
}

std::vector<at::Tensor> defined(const TransformOutput& out) {
  std::vector<at::Tensor> tensors{out.value.detach(), out.log_det.detach()};
  for (const at::Tensor& bound : {out.log_det_bias_bound, out.solve_error_bound}) {
    if (bound.defined()) tensors.push_back(bound.detach());
  }
  return tensors;
}

/// Calls of a flow that have the same arguments each time.
std::vector<Call> calls_of(const Flow& flow, const at::Tensor& x, const Context& context) {
  const int64_t rows = x.size(0);
  return {[&flow, x, context] { return std::vector{flow.log_prob(x, context).detach()}; },
          [&flow, rows, context] {
            const SampleArguments arguments{.rng = Rng(3), .condition = context.condition};
            const SampleWithLogProb drawn = flow.sample_and_log_prob(rows, arguments);
            return std::vector{drawn.sample, drawn.log_prob, drawn.error_bound};
          },
          [&flow, x, context] {
            const LogProbWithError scored = flow.log_prob_with_error(x, context, 2);
            return std::vector{scored.log_prob, scored.standard_error, scored.bias_bound};
          }};
}

class ConcurrencyLaw : public ::testing::TestWithParam<LawCase> {};

TEST_P(ConcurrencyLaw, OneObjectServesEightThreads) {
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    for (const Phase phase : {Phase::kTrain, Phase::kEvaluate}) {
      const auto [t, x, context] = make_instance(GetParam(), dtype, phase);
      const at::Tensor z = t->forward(x, context).value.detach();
      const auto base = std::make_shared<Normal>(NormalOptions{.event = z.sizes().slice(1).vec()});
      Flow flow(t, base);
      flow.to(dtype);
      std::vector<Call> calls = calls_of(flow, x, context);
      calls.push_back(
          [&t = *t, x = x, context = context] { return defined(t.forward(x, context)); });
      calls.push_back([&t = *t, z, context = context] { return defined(t.inverse(z, context)); });
      // All but sampling, of maps whose latents are bounded, must give tensors.
      EXPECT_GE(expect_the_bits_of_one_thread(calls), 4);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, ConcurrencyLaw, ::testing::ValuesIn(all_cases()),
                         [](const auto& test) { return test.param.name(); });

// Whole flows run as kernels, which no transform alone does.
TEST(Concurrency, PresetsServeEightThreads) {
  for (const std::string& name : models::preset_names("contractive")) {
    SCOPED_TRACE(name);
    ContractiveOptions options = models::contractive_preset(name);
    options.blocks = 2;
    const FlowPtr flow = build_flow(contractive_spec(options, {.event = 3}));
    const at::Tensor x = Rng(1).normal({40, 3}, at::kFloat);
    flow->prepare(x);
    for (const Phase phase : {Phase::kTrain, Phase::kEvaluate}) {
      const Context context{.rng = Rng(2), .phase = phase};
      EXPECT_EQ(expect_the_bits_of_one_thread(calls_of(*flow, x, context)), 3);
    }
  }
}

// The order of the last epoch asked for is kept under a lock, and so are batches that were read ahead.
TEST(Concurrency, OneSourceServesEightThreads) {
  const at::Tensor x = at::arange(60, at::kFloat).reshape({30, 2});
  const data::SourcePtr rows = std::make_shared<data::TensorSource>(
      "train", x, at::Tensor(), at::arange(30, at::kFloat), Rng(1));
  for (const data::SourcePtr& source : {rows, data::prefetch(rows)}) {
    std::vector<Call> calls;
    for (int64_t step = 0; step < 12; ++step) {  // four epochs
      calls.push_back([source, step] {
        const data::Batch batch = source->batch(step, 10);
        return std::vector{batch.x, batch.weight};
      });
    }
    EXPECT_EQ(expect_the_bits_of_one_thread(calls), 12);
  }
}

}  // namespace
}  // namespace contraflow::laws
