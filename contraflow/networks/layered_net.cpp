#include "contraflow/networks/layered_net.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "contraflow/networks/lipschitz_linear.h"

namespace contraflow {
namespace {

class LayeredPoint final : public NetPoint {
 public:
  LayeredPoint(const Layer& root, Tape tape, at::Tensor value, std::vector<at::Tensor> parameters)
      : root_(root),
        tape_(std::move(tape)),
        value_(std::move(value)),
        parameters_(std::move(parameters)) {}

  const at::Tensor& value() const override { return value_; }
  at::Tensor jvp(const at::Tensor& t) const override { return root_.jvp(tape_, t, /*keep=*/false); }
  at::Tensor vjp(const at::Tensor& u) const override { return root_.vjp(tape_, u); }

  NetGradients gradients(const at::Tensor& g, const at::Tensor& u, const at::Tensor& t) override {
    if (t.defined()) root_.jvp(tape_, t, /*keep=*/true);
    GradientMap map;
    NetGradients out;
    out.w = root_.dual_reverse(tape_, {g, u}, map, out.condition).value;
    out.parameters = map.in_order(parameters_);
    return out;
  }

  std::unique_ptr<NetPoint> select(const at::Tensor& rows) const override {
    return std::make_unique<LayeredPoint>(root_, tape_.select(rows), at::Tensor(), parameters_);
  }
  std::unique_ptr<NetPoint> narrow(int64_t count) const override {
    return std::make_unique<LayeredPoint>(root_, tape_.narrow(count), at::Tensor(), parameters_);
  }

 private:
  const Layer& root_;
  mutable Tape tape_;
  at::Tensor value_;
  std::vector<at::Tensor> parameters_;
};

}  // namespace

LayeredNet::LayeredNet(LayerPtr root, int64_t condition_size,
                       std::shared_ptr<const NormOrders> orders)
    : root_(std::move(root)), condition_size_(condition_size), orders_(std::move(orders)) {
  register_module("layers", root_);
  for (const auto& child : root_->children()) {
    const auto linear = std::dynamic_pointer_cast<LipschitzLinear>(child);
    has_spectral_caps_ = has_spectral_caps_ || (linear && linear->options().spectral_cap > 0.0);
  }
}

double LayeredNet::lipschitz() const {
  if (!has_spectral_caps_) return root_->lipschitz();
  return product([](const LipschitzLinear& layer) { return layer.spectral_lipschitz(); });
}

double LayeredNet::norm_order() const {
  return orders_ && !has_spectral_caps_ ? orders_->order(0) : 2.0;
}

double LayeredNet::product(double (*of_linear)(const LipschitzLinear&)) const {
  double out = 1.0;
  for (const auto& child : root_->children()) {
    if (const auto linear = std::dynamic_pointer_cast<LipschitzLinear>(child)) {
      out *= of_linear(*linear);
    } else if (const auto layer = std::dynamic_pointer_cast<Layer>(child)) {
      out *= layer->lipschitz();
    }
  }
  return out;
}

NetMap LayeredNet::map(const at::Tensor& condition) const {
  at::NoGradGuard guard;
  Tape tape;
  root_->bind(tape, condition);
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
  return std::make_unique<LayeredPoint>(*root_, std::move(tape), std::move(value), parameters());
}

void LayeredNet::refresh(bool force) {
  at::NoGradGuard guard;
  root_->refresh(force);
}

bool LayeredNet::proven() const {
  for (const LayerBound& bound : layer_bounds()) {
    if (!bound.proven) return false;
  }
  return true;
}

// The constants of activations and sorting hold in every norm in which their nets are bounded.
double LayeredNet::euclidean_proof() const {
  if (!orders_) return proven() ? lipschitz() : ContractiveNet::euclidean_proof();
  return product([](const LipschitzLinear& layer) { return layer.spectral_proof(); });
}

std::vector<LayerBound> LayeredNet::layer_bounds() const {
  std::vector<LayerBound> out;
  for (const auto& item : named_modules()) {
    const auto linear = std::dynamic_pointer_cast<LipschitzLinear>(item.value());
    if (!linear) continue;
    const double s = linear->scale();
    if (linear->options().spectral_cap > 0.0) {
      out.push_back({item.key(), linear->spectral_bounds().lower * s, linear->spectral_lipschitz(),
                     linear->proven(), 2.0, 2.0});
      continue;
    }
    const NormBounds raw = linear->bounds();
    out.push_back({item.key(), raw.lower * s, linear->lipschitz(), linear->proven(),
                   linear->input_order(), linear->output_order()});
  }
  return out;
}

}  // namespace contraflow
