#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/core/grad_mode.h>
#ifdef CF_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

#include "contraflow/kernels/activations.h"
#include "contraflow/kernels/cuda/dispatch.h"
#include "contraflow/kernels/cuda/flatten.h"
#include "contraflow/kernels/isa.h"
#include "contraflow/kernels/jets.h"

namespace contraflow {
namespace {

bool has_fused_form(Activation kind, const at::Tensor& z) {
  if (at::GradMode::is_enabled() && z.requires_grad()) return false;  // autograd needs its pieces
  if (z.scalar_type() != at::kFloat && z.scalar_type() != at::kDouble) return false;
  if (z.dim() == 0 || z.numel() == 0 || is_sorting(kind) || !kernels::tiles_enabled()) return false;
  return z.is_cuda() ? kernels::cuda::compiled() : z.is_cpu() && kind != Activation::kSin;
}

template <class T>
void run_on_host(Activation kind, const at::Tensor& z, const at::Tensor& beta,
                 const ActivationJet& out) {
  kernels::JetCall<T> call;
  call.kind = kind;
  if (has_beta(kind)) call.beta = beta.item<double>();
  call.features = z.size(-1);
  call.rows = z.numel() / call.features;
  call.z = z.const_data_ptr<T>();
  call.value = out.value.data_ptr<T>();
  if (out.slope.defined()) call.slope = out.slope.data_ptr<T>();
  if (out.curvature.defined()) call.curvature = out.curvature.data_ptr<T>();
  kernels::run_jets(call);
}

#ifdef CF_CUDA
template <class T>
void run_on_device(Activation kind, const at::Tensor& z, const at::Tensor& beta,
                   const ActivationJet& out) {
  const c10::cuda::CUDAGuard guard(z.device());
  kernels::cuda::JetCall<T> call;
  call.kind = kernels::cuda::kind_of(kind);
  if (has_beta(kind)) call.beta = beta.const_data_ptr<T>();
  call.features = z.size(-1);
  call.rows = z.numel() / call.features;
  call.z_stride = call.features;
  call.out_stride = expansion(kind) * call.features;
  call.z = z.const_data_ptr<T>();
  call.value = out.value.data_ptr<T>();
  if (out.slope.defined()) call.slope = out.slope.data_ptr<T>();
  if (out.curvature.defined()) call.curvature = out.curvature.data_ptr<T>();
  kernels::cuda::run_jets(call, c10::cuda::getCurrentCUDAStream().stream());
}
#endif

template <class T>
void run_fused(Activation kind, const at::Tensor& z, const at::Tensor& beta,
               const ActivationJet& out) {
#ifdef CF_CUDA
  if (z.is_cuda()) return run_on_device<T>(kind, z, beta, out);
#endif
  run_on_host<T>(kind, z, beta, out);
}

}  // namespace

ActivationJet activation_jet(Activation kind, const at::Tensor& z, const at::Tensor& beta,
                             int order) {
  if (!has_fused_form(kind, z)) return activation_jet_composed(kind, z, beta, order);
  std::vector<int64_t> sizes = z.sizes().vec();
  sizes.back() *= expansion(kind);
  ActivationJet out{at::empty(sizes, z.options()), {}, {}};
  if (order >= 1) out.slope = at::empty(sizes, z.options());
  if (order >= 2) out.curvature = at::empty(sizes, z.options());
  const at::Tensor rows = z.detach().contiguous();
  const at::Tensor number = has_beta(kind) ? beta.detach().to(z.options()) : at::Tensor();
  AT_DISPATCH_FLOATING_TYPES(z.scalar_type(), "activation_jet",
                             [&] { run_fused<scalar_t>(kind, rows, number, out); });
  return out;
}

}  // namespace contraflow
