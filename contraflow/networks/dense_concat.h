#pragma once

#include <array>

#include "contraflow/core/export.h"
#include "contraflow/networks/layer.h"
#include "contraflow/networks/lowerable_net.h"

namespace contraflow {

/// Dense concatenation  a -> [c1 a ; c2 f(a)],  (c1, c2) = (e1, e2) / |(e1, e2)|,
/// e = softplus(raw). Its constant is sqrt(c1^2 + c2^2 Lip(f)^2) <= 1 for Lip(f) <= 1.
///
/// Shapes   a: [b, i], out: [b, i + growth].
/// Source   Perugachi-Diaz, Tomczak, Bhulai 2021, i-DenseNets, sections 3.1 and 3.2.
class CF_EXPORT DenseConcat final : public Layer, public LowerableNet {
 public:
  /// `learnable` trains the concatenation's weights; else both are 1/sqrt(2).
  DenseConcat(LayerPtr inner, bool learnable);

  int64_t inputs() const override { return inner_->inputs(); }
  int64_t outputs() const override { return inner_->inputs() + inner_->outputs(); }
  double lipschitz() const override;
  void append_bounds(const std::string& name, std::vector<LayerBound>& to) const override {
    inner_->append_bounds(name + ".inner", to);
  }
  double euclidean_proof() const override;
  double curvature() const override;
  std::optional<int64_t> receptive_radius() const override { return inner_->receptive_radius(); }
  double unit_roundoff(at::ScalarType type) const override { return inner_->unit_roundoff(type); }
  double reduced_roundoff(at::ScalarType type) const override {
    return inner_->reduced_roundoff(type);
  }
  at::Tensor product_error(const Tape& tape) const override;

  void bind(Tape& tape, const at::Tensor& condition) const override;
  at::Tensor value(const Tape& tape, const at::Tensor& a) const override;
  at::Tensor record(Tape& tape, const at::Tensor& a) const override;
  at::Tensor jvp(Tape& tape, const at::Tensor& t, bool keep) const override;
  at::Tensor vjp(const Tape& tape, const at::Tensor& u) const override;
  Dual dual_reverse(const Tape& tape, const Dual& top, GradientMap& gradients,
                    at::Tensor& condition_gradient) const override;
  const LowerableNet* lowerable() const override { return this; }
  bool lower(NetLowering& to) const override;
  void refresh(bool force) override { inner_->refresh(force); }

  struct Weights {
    double skip;
    double inner;
  };
  /// c1 and c2 as they are now.
  Weights weights() const;
  /// The parameter that they come from, [2]; undefined when they are fixed.
  const at::Tensor& raw() const { return raw_; }
  /// Its gradient from those of c1 and c2.
  std::array<double, 2> raw_gradient(double by_skip, double by_inner) const;

 private:
  std::array<double, 2> raw_values() const;

  LayerPtr inner_;
  at::Tensor raw_;
};

}  // namespace contraflow
