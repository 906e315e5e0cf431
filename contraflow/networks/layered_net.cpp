#include "contraflow/networks/layered_net.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace contraflow {
namespace {

class LayeredPoint final : public NetPoint {
 public:
  LayeredPoint(const Layer& root, Tape tape, at::Tensor value, std::vector<at::Tensor> parameters,
               double roundoff, const std::optional<GridReach>& reach)
      : root_(root),
        tape_(std::move(tape)),
        value_(std::move(value)),
        parameters_(std::move(parameters)),
        roundoff_(roundoff),
        reach_(reach) {}

  const at::Tensor& value() const override { return value_; }
  at::Tensor jvp(const at::Tensor& t) const override { return root_.jvp(tape_, t, /*keep=*/false); }
  at::Tensor vjp(const at::Tensor& u) const override { return root_.vjp(tape_, u); }
  std::unique_ptr<NetPoint> reduced() const override {
    const double roundoff = root_.reduced_roundoff(value_.scalar_type());
    if (!(roundoff > roundoff_)) return nullptr;
    return std::make_unique<LayeredPoint>(root_, tape_.with_reduced(), value_, parameters_,
                                          roundoff, reach_);
  }
  at::Tensor product_error() const override {
    return tape_.takes_reduced ? root_.product_error(tape_) : at::Tensor();
  }
  double unit_roundoff() const override { return roundoff_; }
  std::optional<GridReach> reach() const override { return reach_; }

  NetGradients gradients(const at::Tensor& g, const at::Tensor& u, const at::Tensor& t) override {
    if (t.defined()) root_.jvp(tape_, t, /*keep=*/true);
    GradientMap map;
    NetGradients out;
    out.w = root_.dual_reverse(tape_, {g, u}, map, out.condition).value;
    out.parameters = map.in_order(parameters_);
    return out;
  }

  std::unique_ptr<NetPoint> select(const at::Tensor& rows) const override {
    return part(tape_.select(rows));
  }
  std::unique_ptr<NetPoint> narrow(int64_t count) const override {
    return part(tape_.narrow(count));
  }

 private:
  std::unique_ptr<NetPoint> part(Tape tape) const {
    return std::make_unique<LayeredPoint>(root_, std::move(tape), at::Tensor(), parameters_,
                                          roundoff_, reach_);
  }

  const Layer& root_;
  mutable Tape tape_;
  at::Tensor value_;
  std::vector<at::Tensor> parameters_;
  double roundoff_;
  std::optional<GridReach> reach_;
};

}  // namespace

LayeredNet::LayeredNet(LayerPtr root, int64_t condition_size,
                       std::shared_ptr<const NormOrders> orders, bool has_spectral_caps)
    : root_(std::move(root)),
      condition_size_(condition_size),
      orders_(std::move(orders)),
      has_spectral_caps_(has_spectral_caps) {
  register_module("layers", root_);
}

LayeredNet::LayeredNet(LayerPtr root, int64_t condition_size, int64_t channels,
                       const ConvGrid& grid)
    : LayeredNet(std::move(root), condition_size) {
  image_ = GridReach{.channels = channels, .grid = grid};
}

std::optional<GridReach> LayeredNet::reach() const {
  const std::optional<int64_t> radius = receptive_radius();
  if (!image_ || !radius) return std::nullopt;
  return GridReach{image_->channels, image_->grid, *radius};
}

NetMap LayeredNet::map(const at::Tensor& condition) const {
  at::NoGradGuard guard;
  Tape tape;
  root_->bind(tape, condition);
  return map_of(tape);
}

NetMap LayeredNet::reduced_map(const at::Tensor& condition) const {
  at::NoGradGuard guard;
  Tape tape;
  root_->bind(tape, condition);
  return map_of(tape.with_reduced());
}

NetMap LayeredNet::map_of(const Tape& tape) const {
  return [this, tape](const at::Tensor& w, const at::Tensor& rows) {
    if (!rows.defined() || condition_size_ == 0) return root_->value(tape, w);
    return root_->value(tape.select(rows), w);
  };
}

std::unique_ptr<NetPoint> LayeredNet::linearize(const at::Tensor& w,
                                                const at::Tensor& condition) const {
  at::NoGradGuard guard;
  Tape tape;
  root_->bind(tape, condition);
  at::Tensor value = root_->record(tape, w.detach());
  return std::make_unique<LayeredPoint>(*root_, std::move(tape), std::move(value), parameters(),
                                        unit_roundoff(w.scalar_type()), reach());
}

void LayeredNet::refresh(bool force) {
  at::NoGradGuard guard;
  root_->refresh(force);
}

bool LayeredNet::proven() const {
  const std::vector<LayerBound> bounds = layer_bounds();
  return std::all_of(bounds.begin(), bounds.end(), [](const LayerBound& b) { return b.proven; });
}

double LayeredNet::euclidean_proof() const {
  if (orders_) return root_->euclidean_proof();
  return proven() ? lipschitz() : ContractiveNet::euclidean_proof();
}

std::vector<LayerBound> LayeredNet::layer_bounds() const {
  std::vector<LayerBound> out;
  root_->append_bounds("layers", out);
  return out;
}

}  // namespace contraflow
