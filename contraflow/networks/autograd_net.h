#pragma once

#include "contraflow/core/export.h"
#include "contraflow/networks/contractive_net.h"

namespace contraflow {

/// Adapter: any differentiable network as a contractive one. Products with the Jacobian come from
/// LibTorch's autograd (the JVP by two reverse passes), so a tape is kept where LayeredNet keeps
/// none.
///
/// `module` holds the parameters; `function(w [b, d], condition [b, c] or undefined) -> [b, d]`
/// must be twice differentiable. `lipschitz` in (0, 1) is the caller's promise: it is declared, not
/// proven.
///
/// Cost       one forward a linearisation; 2 reverse passes a JVP, 1 a VJP; one probe at a time.
/// Throws     ConfigError for a promise outside (0, 1).
class CF_EXPORT AutogradNet final : public ContractiveNet {
 public:
  using Function = std::function<at::Tensor(const at::Tensor& w, const at::Tensor& condition)>;

  AutogradNet(int64_t dim, double lipschitz, std::shared_ptr<torch::nn::Module> module,
              Function function, int64_t condition_size = 0);

  int64_t dim() const override { return dim_; }
  int64_t condition_size() const override { return condition_size_; }
  double lipschitz() const override { return lipschitz_; }
  bool proven() const override { return false; }

  NetMap map(const at::Tensor& condition) const override;
  std::unique_ptr<NetPoint> linearize(const at::Tensor& w,
                                      const at::Tensor& condition) const override;
  void refresh(bool /*force*/) override {}

 private:
  int64_t dim_;
  int64_t condition_size_;
  double lipschitz_;
  std::shared_ptr<torch::nn::Module> module_;
  Function function_;
};

}  // namespace contraflow
