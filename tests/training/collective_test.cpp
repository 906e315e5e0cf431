#include "contraflow/training/collective.h"

#include <barrier>
#include <cmath>
#include <functional>
#include <thread>
#include <vector>

#include "contraflow/bases/normal.h"
#include "contraflow/distributions/energies.h"
#include "contraflow/training/max_likelihood.h"
#include "contraflow/training/reverse_kl.h"
#include "contraflow/training/trainer.h"
#include "contraflow/transforms/contractive_block.h"
#include "tests/support/tensors.h"
#include "tests/training/same_bits.h"
#include "tests/training/training_support.h"

namespace contraflow {
namespace {

using testing::error_of;
using testing::same_bits;
using testing::small_options;
using testing::TempFolder;

// Gradients of two shares are added in another order than those of one batch; Adam and the norms
// then see numbers that differ in the last places of float64.
constexpr double kReordered = 1e-9;

/// Ranks that are threads of this process.
class Threads {
 public:
  explicit Threads(int64_t size) : tensors_(static_cast<size_t>(size)), barrier_(size) {}

  class Rank final : public Collective {
   public:
    Rank(Threads& all, int64_t rank) : all_(all), rank_(rank) {}
    int64_t rank() const override { return rank_; }
    int64_t size() const override { return std::ssize(all_.tensors_); }
    void all_reduce_sum(const at::Tensor& tensor) override {
      exchange(tensor, [this] {
        at::Tensor sum = all_.tensors_[0].clone();
        for (size_t k = 1; k < all_.tensors_.size(); ++k) sum += all_.tensors_[k];
        return sum;
      });
    }
    void broadcast(const at::Tensor& tensor) override {
      exchange(tensor, [this] { return all_.tensors_[0].clone(); });
    }

   private:
    template <class Combine>
    void exchange(const at::Tensor& tensor, Combine combine) {
      all_.tensors_[static_cast<size_t>(rank_)] = tensor;
      all_.barrier_.arrive_and_wait();
      const at::Tensor combined = combine();
      all_.barrier_.arrive_and_wait();
      tensor.copy_(combined);
    }

    Threads& all_;
    int64_t rank_;
  };

  /// run(collective) on a thread for each rank.
  void run(const std::function<void(std::shared_ptr<Collective>)>& work) {
    std::vector<std::thread> threads;
    for (int64_t rank = 0; rank < std::ssize(tensors_); ++rank) {
      threads.emplace_back([&, rank] { work(std::make_shared<Rank>(*this, rank)); });
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  std::vector<at::Tensor> tensors_;
  std::barrier<> barrier_;
};

TrainingOptions options_of(const char* objective) {
  TrainingOptions options = small_options();
  options.objective = objective;
  options.dtype = FloatType::kFloat64;
  options.steps = 20;
  options.batch_size = 33;  // no two equal shares
  options.validation_rows = 81;
  options.schedule.warmup_steps = 2;
  return options;
}

/// The noise of the log-determinant depends on the number of the row.
FlowPtr noisy_flow() { return testing::small_flow(std::make_shared<testing::Normed>(0.1)); }

/// A block whose roulette is calibrated on rows of the batch, at steps 0, 7, 14.
FlowPtr calibrated_roulette_flow() {
  ContractiveBlockOptions options{.event = 2, .form = FormKind::kMonotone};
  options.net.depth = 2;
  options.net.growth = 4;
  options.train_log_det = options.eval_log_det =
      RussianRoulette{.law = RouletteLaw::kOptimal, .calibrate_every = 7};
  return std::make_shared<Flow>(std::make_shared<Chain>(std::vector<TransformPtr>{
                                    std::make_shared<ActNorm>(ActNormOptions{.event = 2}),
                                    std::make_shared<ContractiveBlock>(options)}),
                                std::make_shared<Normal>(NormalOptions{.event = 2}));
}

using MakeObjective = std::function<std::shared_ptr<Objective>(FlowPtr)>;

std::shared_ptr<Objective> rows(FlowPtr flow) {
  const at::Tensor x = Rng(1).normal({300, 2}, at::kDouble) * 2.0 + 1.0;
  const auto source = std::make_shared<data::TensorSource>(
      "rows", x, at::Tensor(), Rng(2).uniform({300}, at::kDouble), Rng(3));
  return std::make_shared<MaxLikelihood>(std::move(flow), data::Splits{source, source, nullptr});
}

std::shared_ptr<Objective> wave(FlowPtr flow) {
  return std::make_shared<ReverseKl>(
      std::move(flow), [](const at::Tensor& x) { return energy(EnergyKind::kU2, x); });
}

struct Ran {
  std::vector<MetricsRecord> records;
  TrainReport report;
  NamedTensors state;
};

Ran run(const MakeObjective& make, const FlowPtr& flow, const TrainingOptions& options,
        std::shared_ptr<Collective> collective = nullptr) {
  Ran out;
  TrainerHooks hooks;
  hooks.collective = std::move(collective);
  hooks.on_step = [&out](const MetricsRecord& record) { out.records.push_back(record); };
  out.report = fit(*make(flow), options, hooks);
  out.state = clone_state(state_of(*flow));
  return out;
}

void expect_near(const Estimate& a, const Estimate& b) {
  EXPECT_NEAR(a.mean, b.mean, kReordered * std::abs(b.mean));
  EXPECT_NEAR(a.standard_error, b.standard_error, kReordered * std::abs(b.standard_error));
  EXPECT_EQ(a.count, b.count);
}

void expect_one_curve(const MakeObjective& make, const TrainingOptions& options) {
  const Ran alone = run(make, noisy_flow(), options);
  std::vector<Ran> ran(3);
  Threads(3).run([&](std::shared_ptr<Collective> collective) {
    const auto rank = static_cast<size_t>(collective->rank());
    ran[rank] = run(make, noisy_flow(), options, std::move(collective));
  });
  ASSERT_EQ(ran[0].records.size(), alone.records.size());
  EXPECT_TRUE(ran[1].records.empty());  // rank 0 tells
  for (size_t k = 0; k < alone.records.size(); ++k) {
    const MetricsRecord &a = ran[0].records[k], &b = alone.records[k];
    expect_near(a.loss, b.loss);
    EXPECT_NEAR(a.gradient_norm, b.gradient_norm, 1e-6 * b.gradient_norm);
    ASSERT_EQ(a.validation.has_value(), b.validation.has_value());
    if (a.validation) expect_near(*a.validation, *b.validation);
  }
  EXPECT_TRUE(same_bits(ran[0].state, ran[1].state));
  EXPECT_TRUE(same_bits(ran[0].state, ran[2].state));
}

TEST(Collective, SharesCoverTheRowsOnce) {
  Threads threads(3);
  int64_t end = 0;
  for (int64_t rank = 0; rank < 3; ++rank) {
    const Threads::Rank one(threads, rank);
    const RowShare share = share_of(10, &one);
    EXPECT_EQ(share.begin, end);
    EXPECT_NEAR(static_cast<double>(share.size()), 10.0 / 3.0, 1.0);
    end = share.end;
  }
  EXPECT_EQ(end, 10);
  EXPECT_TRUE(share_of(10, nullptr).is_all());
  const Threads::Rank first(threads, 0);
  EXPECT_THAT(error_of<ConfigError>([&] { share_of(2, &first); }),
              ::testing::HasSubstr("at least one for each of 3 ranks"));
}

TEST(Collective, RanksGiveTheLossCurveOfOne) {
  expect_one_curve(rows, options_of(MaxLikelihood::kName));
}

TEST(Collective, RanksOfReverseKlDrawTheRowsOfOne) {
  const MakeObjective make = [](FlowPtr flow) {
    auto chain = flow->transform();
    return wave(std::make_shared<Flow>(chain, std::make_shared<Normal>(NormalOptions{.event = 2})));
  };
  expect_one_curve(make, options_of(ReverseKl::kName));
}

TEST(Collective, WhatABlockMeasuresOfABatchIsTheSameOnEveryRank) {
  TrainingOptions options = options_of(MaxLikelihood::kName);
  options.validate_every = 0;
  options.ema_decay = 0.0;
  std::vector<NamedTensors> states(2);
  Threads(2).run([&](std::shared_ptr<Collective> collective) {
    const auto rank = static_cast<size_t>(collective->rank());
    states[rank] = run(rows, calibrated_roulette_flow(), options, std::move(collective)).state;
  });
  EXPECT_TRUE(same_bits(states[0], states[1]));
}

TEST(Collective, AnyRankStopsTheRunAndRankZeroWrites) {
  const TempFolder folder;
  std::vector<TrainReport> reports(2);
  Threads(2).run([&](std::shared_ptr<Collective> collective) {
    const auto rank = static_cast<size_t>(collective->rank());
    int64_t asked = 0;
    TrainerHooks hooks;
    hooks.collective = std::move(collective);
    hooks.checkpoint_path = folder / std::to_string(rank);
    hooks.should_stop = [&asked, rank] { return ++asked == 3 && rank == 1; };
    reports[rank] = fit(*rows(noisy_flow()), options_of(MaxLikelihood::kName), hooks);
  });
  for (const TrainReport& report : reports) {
    EXPECT_EQ(report.status, TrainStatus::kInterrupted);
    EXPECT_EQ(report.step, 3);
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "0"));
  EXPECT_FALSE(std::filesystem::exists(folder / "1"));
}

}  // namespace
}  // namespace contraflow
