#include "contraflow/networks/autograd_net.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "contraflow/core/error.h"

namespace contraflow {
namespace {

using torch::autograd::grad;

class AutogradPoint final : public NetPoint {
 public:
  AutogradPoint(AutogradNet::Function function, std::vector<at::Tensor> parameters,
                const at::Tensor& w, const at::Tensor& condition)
      : function_(std::move(function)), parameters_(std::move(parameters)) {
    at::AutoGradMode mode(true);
    w_ = w.detach().requires_grad_();
    if (condition.defined()) condition_ = condition.detach().requires_grad_();
    out_ = function_(w_, condition_);
    value_ = out_.detach();
  }

  const at::Tensor& value() const override { return value_; }

  at::Tensor vjp(const at::Tensor& u) const override {
    return per_probe(
        u, [&](const at::Tensor& one) { return pull(one, /*create_graph=*/false).detach(); });
  }

  // J t is the derivative of  u -> J^T u  (linear in u) pulled back along t.
  at::Tensor jvp(const at::Tensor& t) const override {
    at::AutoGradMode mode(true);
    const at::Tensor dummy = at::zeros_like(out_).requires_grad_();
    const at::Tensor pulled = pull(dummy, /*create_graph=*/true);
    return per_probe(t, [&](const at::Tensor& one) {
      return defined_or_zero(grad({pulled}, {dummy}, {one}, /*retain_graph=*/true, false, true)[0],
                             value_)
          .detach();
    });
  }

  NetGradients gradients(const at::Tensor& g, const at::Tensor& u, const at::Tensor& t) override {
    at::AutoGradMode mode(true);
    at::Tensor loss = at::zeros({}, value_.options());
    if (g.defined()) loss = loss + (g * out_).sum();
    if (u.defined()) {
      for (int64_t p = 0; p < u.size(0); ++p) loss = loss + (pull(u[p], true) * t[p]).sum();
    }
    std::vector<at::Tensor> wrt = {w_};
    if (condition_.defined()) wrt.push_back(condition_);
    wrt.insert(wrt.end(), parameters_.begin(), parameters_.end());
    const auto found = grad({loss}, wrt, {}, /*retain_graph=*/true, false, /*allow_unused=*/true);
    NetGradients out;
    out.w = defined_or_zero(found[0], w_);
    size_t next = 1;
    if (condition_.defined()) out.condition = defined_or_zero(found[next++], condition_);
    for (const at::Tensor& parameter : parameters_) {
      out.parameters.push_back(defined_or_zero(found[next++], parameter));
    }
    return out;
  }

  std::unique_ptr<NetPoint> select(const at::Tensor& rows) const override {
    return std::make_unique<AutogradPoint>(
        function_, parameters_, w_.index_select(0, rows),
        condition_.defined() ? condition_.index_select(0, rows) : condition_);
  }
  std::unique_ptr<NetPoint> narrow(int64_t count) const override {
    return std::make_unique<AutogradPoint>(
        function_, parameters_, w_.narrow(0, 0, count),
        condition_.defined() ? condition_.narrow(0, 0, count) : condition_);
  }

 private:
  static at::Tensor defined_or_zero(const at::Tensor& t, const at::Tensor& like) {
    return t.defined() ? t.detach() : at::zeros_like(like);
  }

  template <class Product>
  static at::Tensor per_probe(const at::Tensor& probes, Product product) {
    std::vector<at::Tensor> out;
    for (int64_t p = 0; p < probes.size(0); ++p) out.push_back(product(probes[p]));
    return at::stack(out);
  }

  at::Tensor pull(const at::Tensor& u, bool create_graph) const {
    return grad({out_}, {w_}, {u}, /*retain_graph=*/true, create_graph)[0];
  }

  AutogradNet::Function function_;
  std::vector<at::Tensor> parameters_;
  at::Tensor w_, condition_, out_, value_;
};

}  // namespace

AutogradNet::AutogradNet(int64_t dim, double lipschitz, std::shared_ptr<torch::nn::Module> module,
                         Function function, int64_t condition_size)
    : dim_(dim),
      condition_size_(condition_size),
      lipschitz_(lipschitz),
      module_(std::move(module)),
      function_(std::move(function)) {
  if (!(lipschitz > 0 && lipschitz < 1)) {
    fail<ConfigError>("AutogradNet", "lipschitz", "a constant in (0, 1)", std::to_string(lipschitz),
                      "Scale the network's output so that its constant is below 1.");
  }
  register_module("module", module_);
}

NetMap AutogradNet::map(const at::Tensor& condition) const {
  return [this, condition](const at::Tensor& w, const at::Tensor& rows) {
    at::NoGradGuard guard;
    const bool pick = rows.defined() && condition.defined();
    return function_(w, pick ? condition.index_select(0, rows) : condition);
  };
}

std::unique_ptr<NetPoint> AutogradNet::linearize(const at::Tensor& w,
                                                 const at::Tensor& condition) const {
  return std::make_unique<AutogradPoint>(function_, parameters(), w, condition);
}

}  // namespace contraflow
