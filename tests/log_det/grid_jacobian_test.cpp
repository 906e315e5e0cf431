// Jacobians of nets on images from a few products.
#include "contraflow/log_det/grid_jacobian.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/networks/net_options.h"

namespace contraflow {
namespace {

struct GridNet {
  std::string name;
  EventShape image;
  NetOptions options;
  int64_t products;  ///< of the coloured Jacobian
};

NetOptions grid_net(std::vector<int64_t> kernels, ConvPadding padding) {
  return {.kind = NetKind::kSequential,
          .hidden = {6, 5},
          .kernels = std::move(kernels),
          .padding = padding,
          .activation = Activation::kElu,
          .activate_input = true,
          .init_gain = 3.0};
}

std::vector<GridNet> grid_nets() {
  constexpr ConvPadding kZero = ConvPadding::kZero, kCircular = ConvPadding::kCircular;
  NetOptions dense = grid_net({3, 3, 1}, kZero);
  dense.kind = NetKind::kDense;
  dense.depth = 2;
  dense.growth = 6;
  return {{"radius_two", {2, 7, 6}, grid_net({3, 1, 3}, kZero), 25 * 2},
          {"radius_one", {1, 7, 8}, grid_net({1, 3, 1}, kZero), 9},
          {"pixels", {3, 2, 3}, grid_net({1, 1, 1}, kZero), 3},
          {"small", {2, 3, 4}, grid_net({3, 1, 3}, kZero), 12 * 2},
          {"row", {1, 1, 12}, grid_net({3, 1, 3}, kZero), 5},
          {"five", {1, 9, 10}, grid_net({5, 1, 3}, kZero), 49},
          {"dense", {2, 6, 7}, dense, 25 * 2},
          {"circular", {1, 10, 15}, grid_net({3, 1, 3}, kCircular), 25},
          {"circular_uneven", {1, 7, 13}, grid_net({3, 1, 3}, kCircular), 7 * 7},
          {"circular_small", {2, 4, 3}, grid_net({3, 1, 3}, kCircular), 12 * 2}};
}

// Counts the tangents that a Jacobian takes.
class CountingPoint final : public NetPoint {
 public:
  explicit CountingPoint(const NetPoint& inner) : inner_(inner) {}
  const at::Tensor& value() const override { return inner_.value(); }
  at::Tensor jvp(const at::Tensor& t) const override {
    products += t.size(0);
    return inner_.jvp(t);
  }
  at::Tensor vjp(const at::Tensor& u) const override { return inner_.vjp(u); }
  std::optional<GridReach> reach() const override { return inner_.reach(); }
  NetGradients gradients(const at::Tensor&, const at::Tensor&, const at::Tensor&) override {
    return {};
  }
  std::unique_ptr<NetPoint> select(const at::Tensor& rows) const override {
    return inner_.select(rows);
  }
  std::unique_ptr<NetPoint> narrow(int64_t count) const override { return inner_.narrow(count); }

  mutable int64_t products = 0;

 private:
  const NetPoint& inner_;
};

class GridJacobian : public ::testing::TestWithParam<GridNet> {};

TEST_P(GridJacobian, HasTheBitsOfTheOneByColumns) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    for (const int64_t batch : {1, 3}) {
      const ContractiveNetPtr net = make_net(GetParam().image, 0, GetParam().options, Rng(2));
      net->to(type);
      const int64_t d = net->dim();
      const auto point = net->linearize(Rng(3).normal({batch, d}, type), {});
      const CountingPoint counting(*point);
      const at::Tensor found = jacobian(counting);
      const at::Tensor eye = at::eye(d, at::TensorOptions(type));
      const at::Tensor columns =
          point->jvp(eye.unsqueeze(1).expand({d, batch, d})).permute({1, 2, 0});
      EXPECT_TRUE(at::equal(found, columns)) << (found - columns).abs().max();
      EXPECT_EQ(counting.products, GetParam().products);
      EXPECT_GT(found.abs().max().item<double>(), 1e-3);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Nets, GridJacobian, ::testing::ValuesIn(grid_nets()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace contraflow
