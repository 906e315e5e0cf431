#include "contraflow/kernels/activation_reverse.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include "contraflow/kernels/activation_passes.h"
#include "contraflow/kernels/isa.h"

namespace contraflow {
namespace {

// Adds the two halves of a concatenating activation, which read the same input.
at::Tensor folded(const at::Tensor& t, int64_t features) {
  if (t.size(-1) == features) return t;
  return t.narrow(-1, 0, features) + t.narrow(-1, features, features);
}

at::Tensor doubled(const at::Tensor& t, int64_t width) {
  return t.size(-1) == width ? t : at::cat({t, t}, -1);
}

bool is_plain(const at::Tensor& t, at::ScalarType type) {
  return !t.defined() || (t.is_cpu() && t.scalar_type() == type && t.is_contiguous());
}

bool has_host_form(const at::Tensor& t) {
  const at::ScalarType type = t.scalar_type();
  return (type == at::kFloat || type == at::kDouble) && is_plain(t, type) && t.numel() > 0 &&
         kernels::tiles_enabled();
}

bool reverse_is_fused(Activation kind, const at::Tensor& z, const ActivationTop& top) {
  const at::ScalarType type = z.scalar_type();
  return kind != Activation::kSin && has_host_form(z) && is_plain(top.value, type) &&
         is_plain(top.tangent, type) && is_plain(top.t, type);
}

template <class T>
const T* data_of(const at::Tensor& t) {
  return t.defined() ? t.const_data_ptr<T>() : nullptr;
}

template <class T>
double reverse_on_host(Activation kind, const at::Tensor& z, double beta, const ActivationTop& top,
                       const ActivationDown& down) {
  kernels::ReverseCall<T> call;
  call.kind = kind;
  call.beta = beta;
  call.features = z.size(-1);
  call.rows = z.numel() / call.features;
  call.probes = top.tangent.defined() ? top.tangent.size(0) : 0;
  call.z = data_of<T>(z);
  call.value_bar = data_of<T>(top.value);
  call.tangent_bar = data_of<T>(top.tangent);
  call.tangent = data_of<T>(top.t);
  call.value = down.value.data_ptr<T>();
  if (down.tangent.defined()) call.tangent_down = down.tangent.data_ptr<T>();
  return kernels::run_reverse(call);
}

template <class T>
kernels::SlopeCall<T> slope_call(const at::Tensor& slope, const at::Tensor& in,
                                 const at::Tensor& out) {
  kernels::SlopeCall<T> call;
  call.features = slope.size(-1) / 2;
  call.rows = slope.numel() / slope.size(-1);
  call.probes = in.numel() / in.size(-1) / call.rows;
  call.slope = slope.const_data_ptr<T>();
  call.in = in.const_data_ptr<T>();
  call.out = out.data_ptr<T>();
  return call;
}

bool slope_is_fused(const at::Tensor& slope, const at::Tensor& in, int64_t features) {
  return slope.size(-1) == 2 * features && has_host_form(slope) && in.numel() > 0 &&
         is_plain(in, slope.scalar_type());
}

at::Tensor empty_with_width(const at::Tensor& like, int64_t width) {
  std::vector<int64_t> sizes = like.sizes().vec();
  sizes.back() = width;
  return at::empty(sizes, like.options());
}

// phi(z; beta) = phi_1(beta z) / beta, hence  d phi / d beta = (z phi' - phi) / beta  and
// d phi' / d beta = z phi'' / beta.
at::Tensor beta_gradient(const ActivationJet& jet, const at::Tensor& z, const at::Tensor& beta,
                         const at::Tensor& value_bar, const at::Tensor& bending) {
  at::Tensor sum = at::zeros({}, z.options());
  if (value_bar.defined()) sum = sum + (value_bar * (z * jet.slope - jet.value)).sum();
  if (bending.defined()) sum = sum + (bending * z * jet.curvature).sum();
  return sum / beta;
}

}  // namespace

ActivationDown activation_reverse_composed(const ActivationJet& jet, const at::Tensor& z,
                                           const at::Tensor& beta, const ActivationTop& top) {
  const int64_t features = z.size(-1), width = jet.slope.size(-1);
  ActivationDown down;
  at::Tensor bending;  // sum over probes of E s
  if (top.tangent.defined()) {
    down.tangent = folded(top.tangent * jet.slope, features);
    bending = (top.tangent * doubled(top.t, width)).sum(0);
    down.value = bending * jet.curvature;
  }
  if (top.value.defined()) {
    down.value = down.value.defined() ? at::addcmul(down.value, top.value, jet.slope)
                                      : top.value * jet.slope;
  }
  if (down.value.defined()) down.value = folded(down.value, features);
  if (beta.defined()) down.beta = beta_gradient(jet, doubled(z, width), beta, top.value, bending);
  return down;
}

ActivationDown activation_reverse(Activation kind, const at::Tensor& z, const at::Tensor& beta,
                                  const ActivationTop& top) {
  if (!top.value.defined() && !top.tangent.defined()) return {};
  if (!reverse_is_fused(kind, z, top))
    return activation_reverse_composed(activation_jet(kind, z, beta, 2), z, beta, top);
  ActivationDown down{at::empty_like(z), {}, {}};
  if (top.tangent.defined()) down.tangent = at::empty_like(top.t);
  const double number = has_beta(kind) ? beta.item<double>() : 1.0;
  double sum = 0;
  AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "activation_reverse",
                             [&] { sum = reverse_on_host<scalar_t>(kind, z, number, top, down); });
  if (has_beta(kind)) down.beta = at::scalar_tensor(sum / number, z.options());
  return down;
}

at::Tensor slope_jvp_composed(const at::Tensor& slope, const at::Tensor& t) {
  return doubled(t, slope.size(-1)) * slope;
}

at::Tensor slope_jvp(const at::Tensor& slope, const at::Tensor& t) {
  if (!slope_is_fused(slope, t, t.size(-1))) return slope_jvp_composed(slope, t);
  const at::Tensor out = empty_with_width(t, slope.size(-1));
  AT_DISPATCH_FLOATING_TYPES(t.scalar_type(), "slope_jvp",
                             [&] { kernels::run_slope_jvp(slope_call<scalar_t>(slope, t, out)); });
  return out;
}

at::Tensor slope_vjp_composed(const at::Tensor& slope, const at::Tensor& u, int64_t features) {
  return folded(u * slope, features);
}

at::Tensor slope_vjp(const at::Tensor& slope, const at::Tensor& u, int64_t features) {
  if (!slope_is_fused(slope, u, features)) return slope_vjp_composed(slope, u, features);
  const at::Tensor out = empty_with_width(u, features);
  AT_DISPATCH_FLOATING_TYPES(u.scalar_type(), "slope_vjp",
                             [&] { kernels::run_slope_vjp(slope_call<scalar_t>(slope, u, out)); });
  return out;
}

}  // namespace contraflow
