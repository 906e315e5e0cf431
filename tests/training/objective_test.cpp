#include "contraflow/training/max_likelihood.h"

#include "contraflow/training/evaluation.h"
#include "tests/support/tensors.h"
#include "tests/training/training_support.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::Normed;

constexpr int64_t kRows = 24;

at::Tensor rows_of(uint64_t seed) { return Rng(seed).normal({kRows, 2}, at::kDouble) * 2.0 + 1.0; }

// 0, 1, 2, 3, 0, 1, ...: 36 rows in all.
at::Tensor multiplicities() { return at::arange(kRows, at::kDouble).remainder(4); }

data::SourcePtr source_of(const at::Tensor& x, const at::Tensor& weight) {
  return std::make_shared<data::TensorSource>("rows", x, at::Tensor(), weight, Rng(3));
}

data::SourcePtr weighted() { return source_of(rows_of(1), multiplicities()); }

data::SourcePtr repeated() {
  return source_of(rows_of(1).repeat_interleave(multiplicities().to(at::kLong), 0), {});
}

struct Gradient {
  Estimate loss;
  at::Tensor values;  // of all parameters
};

// Of step `index` with `batch_size` rows, always at the same parameters and state.
Gradient gradient(const data::SourcePtr& train, int64_t index, int64_t batch_size) {
  const FlowPtr flow = testing::small_flow(std::make_shared<Normed>(/*noise=*/0.0));
  flow->to(at::kDouble);
  flow->prepare(rows_of(2));
  FlatParameters flat(*flow);
  flat.zero_gradients();
  const MaxLikelihood objective(flow, {train, nullptr, nullptr}, 1);
  Gradient out;
  out.loss = mean_loss(
      objective.add_gradient({.index = index, .batch_size = batch_size, .kind = at::kDouble}),
      nullptr);
  out.values = at::cat(flat.gradients()).clone();
  return out;
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(MaxLikelihood, IntegerWeightsAreRepeatedRows) {
  const Gradient by_weight = gradient(weighted(), 0, kRows), by_rows = gradient(repeated(), 0, 36);
  EXPECT_NEAR(by_weight.loss.mean, by_rows.loss.mean, 1e-12);
  EXPECT_LT(distance(by_weight.values, by_rows.values), 1e-12);
  // The comparison sees weights that are left out.
  const Gradient without = gradient(source_of(rows_of(1), {}), 0, kRows);
  EXPECT_GT(std::abs(without.loss.mean - by_rows.loss.mean), 1e-2);
  EXPECT_GT(distance(without.values, by_rows.values), 1e-2);
}

TEST(MaxLikelihood, TheGradientsOfAnEpochAverageToThatOfAllRows) {
  // 6 batches of 4 rows whose sums of weights differ: dividing by those would not average to it.
  const at::Tensor weight = at::arange(kRows, at::kDouble).square() + 0.1;
  const data::SourcePtr source = source_of(rows_of(1), weight);
  const at::Tensor all = gradient(source, 0, kRows).values;
  at::Tensor mean = at::zeros_like(all), by_batch_sum = at::zeros_like(all);
  for (int64_t k = 0; k < 6; ++k) {
    const at::Tensor part = gradient(source, k, 4).values;
    mean += part / 6;
    by_batch_sum += part * (weight.mean() / source->batch(k, 4).weight.mean()) / 6;
  }
  EXPECT_LT(distance(mean, all), 1e-12);
  EXPECT_GT(distance(by_batch_sum, all), 1e-2);
}

TEST(MaxLikelihood, TheScaleOfWeightsIsFree) {
  const Gradient one = gradient(weighted(), 0, 8);
  const Gradient other = gradient(source_of(rows_of(1), multiplicities() * 1e6), 0, 8);
  EXPECT_NEAR(one.loss.mean, other.loss.mean, 1e-12);
  EXPECT_LT(distance(one.values, other.values), 1e-12);
}

TEST(MaxLikelihood, EvaluationMeansAgreeAndErrorsAreOfTheRowsThatAreThere) {
  const FlowPtr flow = testing::small_flow(std::make_shared<Normed>(0.0));
  flow->to(at::kDouble);
  flow->prepare(rows_of(2));
  const LossArguments arguments{.rows = 1000, .batch_size = 7};
  const Estimate a = evaluate_loss(*flow, *weighted(), arguments);
  const Estimate b = evaluate_loss(*flow, *repeated(), arguments);
  EXPECT_NEAR(a.mean, b.mean, 1e-12);
  EXPECT_GT(a.standard_error, b.standard_error);  // copies know nothing new
  EXPECT_GT(std::abs(evaluate_loss(*flow, *source_of(rows_of(1), {}), arguments).mean - b.mean),
            1e-2);
}

TEST(MaxLikelihood, MembersThatLookAtRowsSeeThemByWeight) {
  // Two rows have all the weight: the actnorm starts at them.
  at::Tensor weight = at::zeros({kRows}, at::kDouble);
  weight.slice(0, 4, 6).fill_(1.0);
  const FlowPtr flow = testing::small_flow(std::make_shared<Normed>(0.0));
  flow->to(at::kDouble);
  const MaxLikelihood objective(flow, {source_of(rows_of(1), weight), nullptr, nullptr}, 1);
  objective.initialise(kRows, at::kDouble, Rng(0));
  const FlowPtr wanted = testing::small_flow(std::make_shared<Normed>(0.0));
  wanted->to(at::kDouble);
  wanted->prepare(rows_of(1).slice(0, 4, 6).repeat_interleave(kRows / 2, 0));
  EXPECT_LT(distance(flow->named_parameters()["transform.0.shift"],
                     wanted->named_parameters()["transform.0.shift"]),
            1e-12);
}

/// A source that makes its weights as it goes.
class Stream final : public data::Source {
 public:
  explicit Stream(double weight) : weight_(weight) {}
  std::optional<int64_t> size() const override { return std::nullopt; }
  std::vector<int64_t> event_shape() const override { return {2}; }
  std::string name() const override { return "stream"; }

 private:
  data::Batch do_batch(int64_t step, int64_t /*size*/, int64_t begin, int64_t end) const override {
    data::Batch out = do_rows(begin, end);
    if (step > 0) out.weight = out.weight * 0.0 + weight_;
    return out;
  }
  data::Batch do_rows(int64_t begin, int64_t end) const override {
    return {Rng(1).rows_from(begin).normal({end - begin, 2}, at::kDouble),
            {},
            at::ones({end - begin}, at::kDouble),
            begin};
  }

  double weight_;
};

TEST(MaxLikelihood, EveryBatchNeedsWeights) {
  const auto text = [](double weight) {
    return error_of<DomainError>([&] { gradient(std::make_shared<Stream>(weight), 1, 4); });
  };
  EXPECT_THAT(text(-1.0), HasSubstr("-1"));
  EXPECT_THAT(text(0.0), HasSubstr("only zeros"));
  EXPECT_THAT(text(std::nan("")), HasSubstr("nan"));
}

}  // namespace
}  // namespace contraflow
