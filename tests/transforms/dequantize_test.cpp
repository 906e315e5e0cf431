#include "contraflow/transforms/dequantize.h"

#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(Dequantize, FillsEachCellUniformly) {
  constexpr int64_t kRows = 100'000;
  const Dequantize map({.event = 2, .levels = {4, 17}});
  const at::Tensor x = at::tensor({3.0, 16.0}, at::kDouble).expand({kRows, 2});
  const at::Tensor z = map.forward(x, {{}, Rng(2)}).value;
  const at::Tensor u = z * at::tensor({4.0, 17.0}, at::kDouble) - x;
  EXPECT_GT(u.min().item<double>(), 0.0);
  EXPECT_LT(u.max().item<double>(), 1.0);
  const double five_errors = 5.0 * std::sqrt(1.0 / 12.0 / kRows);
  EXPECT_NEAR(u.select(1, 0).mean().item<double>(), 0.5, five_errors);
  EXPECT_NEAR(u.select(1, 1).mean().item<double>(), 0.5, five_errors);
  EXPECT_NEAR((u - 0.5).square().mean().item<double>(), 1.0 / 12.0, 0.002);
}

TEST(Dequantize, LogDetIsMinusTheLogOfTheLevels) {
  const Dequantize map({.event = 2, .levels = {4, 17}});
  const at::Tensor log_det = map.forward(at::zeros({3, 2}, at::kDouble)).log_det;
  for (int64_t i = 0; i < 3; ++i)
    EXPECT_DOUBLE_EQ(log_det[i].item<double>(), -std::log(4.0 * 17.0));
}

// Without the gap at the ends of a cell, about one draw in a hundred thousand moves to the next.
TEST(Dequantize, Float32NeverLeavesItsCell) {
  constexpr int64_t kRows = 400'000;
  for (const int64_t levels : {17, 256, 65536}) {
    const Dequantize map({.event = 4, .levels = {levels}});
    const at::Tensor x = (Rng(3).uniform({kRows, 4}, at::kDouble) * static_cast<double>(levels))
                             .floor()
                             .to(at::kFloat);
    const at::Tensor z = map.forward(x, {{}, Rng(4)}).value;
    EXPECT_TRUE(at::equal(map.inverse(z).value, x)) << levels << " levels";
    EXPECT_LE(z.max().item<float>(), 1.0F);
  }
}

TEST(Dequantize, InverseClampsToTheLevels) {
  const Dequantize map({.event = 1, .levels = {5}});
  const at::Tensor z = at::tensor({-0.3, 0.0, 0.99, 1.0, 7.0}, at::kDouble).unsqueeze(1);
  const at::Tensor expected = at::tensor({0.0, 0.0, 4.0, 4.0, 4.0}, at::kDouble).unsqueeze(1);
  EXPECT_TRUE(at::equal(map.inverse(z).value, expected));
}

TEST(Dequantize, RefusesWhatIsNotALevel) {
  const Dequantize map({.event = 2, .levels = {5}});
  for (const double bad : {1.5, -1.0, 5.0}) {
    at::Tensor x = at::zeros({3, 2}, at::kDouble);
    x[2][1] = bad;
    const std::string text = error_of<DomainError>([&] { map.forward(x); });
    EXPECT_THAT(text, HasSubstr(c10::str("got ", bad, " at row 2, column 1")));
  }
  EXPECT_THAT(error_of<ConfigError>([] { Dequantize({.event = 2, .levels = {0}}); }),
              HasSubstr("levels"));
}

}  // namespace
}  // namespace contraflow
