#include "contraflow/transforms/marginal_dequantize.h"

#include "contraflow/bases/normal.h"
#include "contraflow/core/rng.h"
#include "contraflow/transforms/registry.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::kRounding;
using testing::near;

constexpr int64_t kCountedRows = 2000;

// Columns of 4 and 9 levels, the lower ones far more often; one of real numbers.
at::Tensor counted_rows() {
  const at::Tensor u = Rng(3).uniform({kCountedRows, 3}, at::kDouble).pow(6.0);
  const at::Tensor scale = at::tensor({4.0, 9.0, 1.0}, at::kDouble);
  const at::Tensor levels = (u * scale).floor();
  levels.select(1, 2).copy_(u.select(1, 2));
  return levels;
}

MarginalDequantize counted(at::ScalarType type = at::kDouble) {
  MarginalDequantize map({.event = 3, .levels = {4, 9, 0}});
  map.to(type);
  map.prepare(counted_rows().to(type));
  return map;
}

// Sets the masses of a map of one column.
void set_masses(MarginalDequantize& map, const at::Tensor& mass) {
  map.named_buffers()["mass"].copy_(mass.unsqueeze(0));
  map.named_buffers()["initialized"].fill_(1.0);
}

TEST(MarginalDequantize, MassesAreSmoothedCounts) {
  MarginalDequantize map({.event = 2, .levels = {3}, .smoothing = 2.0});
  map.to(at::kDouble);
  // Counts 3, 1, 0 and 4, 0, 0; together 7, 1, 0 of 8.
  map.prepare(at::tensor({0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0}, at::kDouble).view({4, 2}));
  const at::Tensor start = 1.0 / 3.0 + at::tensor({7.0, 1.0, 0.0}, at::kDouble) / 8.0;
  const at::Tensor count = at::tensor({3.0, 1.0, 0.0, 4.0, 0.0, 0.0}, at::kDouble).view({2, 3});
  EXPECT_TRUE(near(map.masses(), 0x1p-20 + (1.0 - 3 * 0x1p-20) * (count + start) / 6.0, kRounding));
}

TEST(MarginalDequantize, MassesSumToOne) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const at::Tensor mass = counted(type).masses();
    EXPECT_TRUE(near(mass.sum(1), at::ones({3}, at::kDouble), kRounding));
    EXPECT_EQ(mass.select(0, 0).slice(0, 4).abs().sum().item<double>(), 0.0);
    EXPECT_GE(mass.select(0, 1).min().item<double>(), 0.99 * 0x1p-20);
  }
  const MarginalDequantize fresh({.event = 2, .levels = {5}});
  EXPECT_TRUE(near(fresh.masses(), at::full({2, 5}, 0.2, at::kDouble), kRounding));
}

// No variance: every draw gives the log-probability of independent categorical columns.
TEST(MarginalDequantize, LogProbIsThatOfCategoricalColumns) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    MarginalDequantize map({.event = 2, .levels = {4, 9}});
    map.to(type);
    map.prepare(counted_rows().slice(1, 0, 2).to(type));
    Normal base({.event = 2});
    base.to(type);
    const at::Tensor x = at::cartesian_prod({at::arange(4, type), at::arange(9, type)});
    const at::Tensor log_mass = map.masses().log();
    const at::Tensor expected =
        (log_mass[0].slice(0, 0, 4).unsqueeze(1) + log_mass[1].unsqueeze(0)).flatten();
    for (uint64_t draw = 0; draw < 20; ++draw) {
      const TransformOutput out = map.forward(x, {{}, Rng(draw)});
      const at::Tensor log_prob = base.log_prob(out.value) + out.log_det;
      EXPECT_TRUE(near(log_prob, expected, type == at::kFloat ? 1e-6 : kRounding));
      if (type == at::kDouble) {
        EXPECT_NEAR(log_prob.exp().sum().item<double>(), 1.0, kRounding);
      }
    }
  }
}

TEST(MarginalDequantize, FillsEachCellUniformly) {
  constexpr int64_t kRows = 100'000;
  const MarginalDequantize map = counted();
  const at::Tensor mass = map.masses();
  for (const int64_t level : {0, 3}) {
    const at::Tensor x = at::full({kRows, 3}, static_cast<double>(level), at::kDouble);
    const at::Tensor p = at::special_ndtr(map.forward(x, {{}, Rng(2)}).value);
    for (int64_t column = 0; column < 2; ++column) {
      const at::Tensor below = mass[column].slice(0, 0, level).sum();
      const at::Tensor u = (p.select(1, column) - below) / mass[column][level];
      EXPECT_GE(u.min().item<double>(), 0.0);
      EXPECT_LE(u.max().item<double>(), 1.0 + 1e-9);
      EXPECT_NEAR(u.mean().item<double>(), 0.5, 5.0 * std::sqrt(1.0 / 12.0 / kRows));
      EXPECT_NEAR(u.square().mean().item<double>(), 1.0 / 3.0, 0.005);
    }
  }
}

// Cells of the least mass beside the median, in the middle of each half and at both ends; u at the
// ends of each cell, where rounding would carry z over.
TEST(MarginalDequantize, Float32NeverLeavesItsCell) {
  constexpr double kLeast = 0x1p-20;
  constexpr int64_t kRows = 300'000;
  const at::Tensor mass = at::tensor({kLeast, kLeast, 0.1, kLeast, 0.4 - 3 * kLeast, kLeast, kLeast,
                                      0.3, kLeast, 0.2 - 7 * kLeast, kLeast, kLeast, 0.0},
                                     at::kDouble);
  MarginalDequantize map({.event = 1, .levels = {13}});
  set_masses(map, mass);
  const at::Tensor x = at::arange(kRows).remainder(12).to(at::kFloat).unsqueeze(1);
  const TransformOutput out = map.forward(x, {{}, Rng(4)});
  EXPECT_TRUE(at::equal(map.inverse(out.value).value, x));
  EXPECT_TRUE(at::isfinite(out.log_det).all().item<bool>());
  EXPECT_LT(out.value.min().item<float>(), -4.7F);
  EXPECT_GT(out.value.max().item<float>(), 4.7F);  // as far out above as below
}

TEST(MarginalDequantize, ManyLevelsComeBack) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    MarginalDequantize map({.event = 1, .levels = {65536}});
    map.to(type);
    const at::Tensor x = at::arange(65536, type).unsqueeze(1);
    EXPECT_TRUE(at::equal(map.inverse(map.forward(x).value).value, x));
    map.prepare(at::cat({x, at::full({1'000'000, 1}, 40'000.0, x.options())}));
    EXPECT_TRUE(at::equal(map.inverse(map.forward(x).value).value, x));
  }
}

TEST(MarginalDequantize, InverseTakesAnyLatent) {
  const MarginalDequantize map = counted();
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  const at::Tensor z =
      at::tensor({-kInfinite, -1e4, -40.0, 0.0, 40.0, 1e4, kInfinite}, at::kDouble).unsqueeze(1);
  const at::Tensor x = map.inverse(z.expand({7, 3})).value;
  for (int64_t row = 0; row < 3; ++row) {
    EXPECT_EQ(x[row][0].item<double>(), 0.0);
    EXPECT_EQ(x[6 - row][0].item<double>(), 3.0);
    EXPECT_EQ(x[6 - row][1].item<double>(), 8.0);
  }
  EXPECT_TRUE(at::equal(x.select(1, 2), z.select(1, 0)));  // passes unchanged
}

TEST(MarginalDequantize, ZeroLevelsPassUnchanged) {
  const MarginalDequantize map = counted();
  at::Tensor x = counted_rows().slice(0, 0, 50).requires_grad_(true);
  const TransformOutput out = map.forward(x);
  EXPECT_TRUE(at::equal(out.value.select(1, 2), x.select(1, 2)));
  out.value.select(1, 2).sum().backward();
  EXPECT_TRUE(at::equal(x.grad().select(1, 2), at::ones({50}, at::kDouble)));
  MarginalDequantize alone({.event = 1, .levels = {0}});
  const at::Tensor real = Rng(1).normal({5, 1}, at::kFloat);
  EXPECT_TRUE(at::equal(alone.forward(real).value, real));
  EXPECT_TRUE(at::equal(alone.forward(real).log_det, at::zeros({5})));
}

TEST(MarginalDequantize, SharedMassesAreThoseOfAllColumns) {
  MarginalDequantize map({.event = 2, .levels = {3}, .shared = true, .smoothing = 0.0});
  map.to(at::kDouble);
  map.prepare(at::tensor({0.0, 2.0, 0.0, 1.0, 1.0, 2.0, 0.0, 2.0}, at::kDouble).view({4, 2}));
  const at::Tensor expected = at::tensor({3.0, 2.0, 3.0}, at::kDouble) / 8.0;
  EXPECT_TRUE(near(map.masses(), expected.expand({2, 3}), 1e-5));
  EXPECT_THAT(error_of<ConfigError>([] {
                MarginalDequantize({.event = 2, .levels = {3, 4}, .shared = true});
              }),
              HasSubstr("one number of levels"));
}

// Specs of runs before `table` was there.
TEST(MarginalDequantize, SharedIsStillRead) {
  const auto read = [](const nlohmann::ordered_json& more) {
    nlohmann::ordered_json spec{{"type", "marginal_dequantize"}, {"event", 2}, {"levels", {3}}};
    spec.update(more);
    return make_transform(spec);
  };
  const at::Tensor x = at::tensor({0.0, 2.0, 0.0, 1.0, 1.0, 2.0, 0.0, 2.0}).view({4, 2});
  const TransformPtr old = read({{"shared", true}}), now = read({{"table", "shared"}});
  old->prepare(x);
  now->prepare(x);
  EXPECT_TRUE(at::equal(old->forward(x).value, now->forward(x).value));
  EXPECT_THAT(error_of<ConfigError>([&] {
                read({{"shared", true}, {"table", "pixel"}});
              }),
              HasSubstr("shared"));
}

TEST(MarginalDequantize, ImagesHaveATableForEachChannel) {
  MarginalDequantize map({.event = {2, 4, 4}, .levels = {3, 5}});
  map.to(at::kDouble);
  const at::Tensor u = Rng(1).uniform({50, 2, 4, 4}, at::kDouble);
  const at::Tensor x = (u.square() * at::tensor({3.0, 5.0}, at::kDouble).view({2, 1, 1})).floor();
  map.prepare(x);
  const double zeros = x.select(1, 1).eq(0.0).sum().item<double>();
  EXPECT_NEAR(map.masses()[1][0].item<double>(), zeros / 800.0, 2e-3);
  const TransformOutput out = map.forward(x);
  EXPECT_TRUE(at::equal(map.inverse(out.value).value, x));
  const at::Tensor of_pixels = -0.5 * out.value.square().flatten(1).sum(1) -
                               16.0 * std::log(2.0 * std::numbers::pi) + out.log_det;
  const at::Tensor log_mass = map.masses().log();
  double expected = 0.0;
  for (int64_t channel = 0; channel < 2; ++channel) {
    expected += log_mass[channel]
                    .index_select(0, x[0][channel].flatten().to(at::kLong))
                    .sum()
                    .item<double>();
  }
  EXPECT_NEAR(of_pixels[0].item<double>(), expected, 1e-9);
}

// Pixels whose masses all differ, of 3 and 5 levels in two channels.
at::Tensor counted_images(at::ScalarType type) {
  const at::Tensor u = Rng(5).uniform({400, 2, 2, 3}, at::kDouble);
  const at::Tensor power = at::linspace(0.5, 4.0, 12, at::kDouble).view({2, 2, 3});
  return (u.pow(power) * at::tensor({3.0, 5.0}, at::kDouble).view({2, 1, 1})).floor().to(type);
}

TEST(MarginalDequantize, APixelsTableIsThatOfItsColumn) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const at::Tensor x = counted_images(type);
    MarginalDequantize image(
        {.event = {2, 2, 3}, .levels = {3, 5}, .table = MassTable::kPixel, .smoothing = 0.5});
    MarginalDequantize row(
        {.event = 12, .levels = {3, 3, 3, 3, 3, 3, 5, 5, 5, 5, 5, 5}, .smoothing = 0.5});
    image.to(type);
    row.to(type);
    image.prepare(x);
    row.prepare(x.flatten(1));
    EXPECT_TRUE(at::equal(image.masses(), row.masses()));
    const TransformOutput out = image.forward(x, {{}, Rng(3)});
    const TransformOutput same = row.forward(x.flatten(1), {{}, Rng(3)});
    EXPECT_TRUE(at::equal(out.value.flatten(1), same.value));
    EXPECT_TRUE(at::equal(out.log_det, same.log_det));
    EXPECT_TRUE(at::equal(image.inverse(out.value).value, x));
  }
}

TEST(MarginalDequantize, EveryTableReturnsTheIntegersOfImages) {
  const at::Tensor pixels = at::arange(2 * 3 * 4 * 5 * 17).remainder(256).view({17, 2 * 3, 4, 5});
  for (const MassTable table : {MassTable::kPixel, MassTable::kChannel, MassTable::kShared}) {
    for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
      MarginalDequantize map({.event = {6, 4, 5}, .levels = {256}, .table = table});
      map.to(type);
      const at::Tensor x = pixels.to(type);
      map.prepare(x);
      EXPECT_EQ(map.masses().size(0), table == MassTable::kPixel ? 120 : 6);
      for (uint64_t draw = 0; draw < 5; ++draw)
        EXPECT_TRUE(at::equal(map.inverse(map.forward(x, {{}, Rng(draw)}).value).value, x));
    }
  }
}

// Counting by parts is counting at once.
TEST(MarginalDequantize, ManyImagesAreCountedByParts) {
  const at::Tensor x = (Rng(2).uniform({1100, 1, 64, 64}, at::kFloat).square() * 7).floor();
  MarginalDequantize map({.event = {1, 64, 64}, .levels = {7}, .smoothing = 0.0});
  map.to(at::kDouble);
  map.prepare(x.to(at::kDouble));
  const at::Tensor count = x.flatten().to(at::kLong).bincount({}, 7).to(at::kDouble);
  EXPECT_TRUE(near(map.masses()[0], count / count.sum(), 1e-5));
  at::Tensor bad = x.clone();
  bad[1099][0][3][4] = 7.0F;
  MarginalDequantize other({.event = {1, 64, 64}, .levels = {7}});
  EXPECT_THAT(error_of<DomainError>([&] { other.prepare(bad); }),
              HasSubstr("got 7 at row 1099, pixel [0, 3, 4]"));
}

TEST(MarginalDequantize, RefusesWhatIsNotALevel) {
  const MarginalDequantize map({.event = 2, .levels = {5}});
  for (const double bad : {1.5, -1.0, 5.0}) {
    at::Tensor x = at::zeros({3, 2});
    x[2][1] = bad;
    EXPECT_THAT(error_of<DomainError>([&] { map.forward(x); }),
                HasSubstr(c10::str("got ", bad, " at row 2, column 1")));
  }
  EXPECT_THAT(error_of<ConfigError>([] {
                MarginalDequantize({.event = 3, .levels = {4, 5}});
              }),
              HasSubstr("1 or 3 values, got 2 values"));
}

}  // namespace
}  // namespace contraflow
