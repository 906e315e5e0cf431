#include "contraflow/networks/product.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>

#include "contraflow/kernels/isa.h"
#include "contraflow/kernels/matrix_product.h"
#include "contraflow/networks/reduced_product.h"

namespace contraflow {
namespace {

// With one of the strides 1.
at::Tensor along_an_axis(const at::Tensor& t) {
  return t.stride(0) == 1 || t.stride(1) == 1 ? t : t.contiguous();
}

template <class T>
kernels::MatrixView<T> view_of(const at::Tensor& t) {
  return {t.const_data_ptr<T>(), t.stride(0), t.stride(1)};
}

template <class T>
void run(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias, const at::Tensor& out,
         bool add) {
  kernels::MatrixProduct<T> call;
  call.rows = a.size(0);
  call.depth = a.size(1);
  call.columns = b.size(1);
  call.a = view_of<T>(a);
  call.b = view_of<T>(b);
  call.out = out.data_ptr<T>();
  call.out_stride = call.columns;
  if (bias.defined()) call.bias = bias.const_data_ptr<T>();
  call.add = add;
  kernels::multiply(call);
}

void run(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias, const at::Tensor& out,
         bool add) {
  const at::Tensor left = along_an_axis(a), right = along_an_axis(b);
  const at::Tensor shift = bias.defined() ? bias.contiguous() : bias;
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "product",
                             [&] { run<scalar_t>(left, right, shift, out, add); });
}

at::Tensor working_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  if (!has_own_product(a)) return bias.defined() ? at::addmm(bias, a, b) : a.mm(b);
  const at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
  run(a, b, bias, out, /*add=*/false);
  return out;
}

}  // namespace

bool has_own_product(const at::Tensor& a) {
  const bool floating = a.scalar_type() == at::kFloat || a.scalar_type() == at::kDouble;
  return a.is_cpu() && floating && kernels::tiles_enabled();
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias,
                   ProductType type) {
  if (type == ProductType::kWorking) return working_product(a, b, bias);
  const at::Tensor out =
      in_products_of(type, a, b, [](const at::Tensor& left, const at::Tensor& right) {
        return working_product(left, right, {});
      });
  return bias.defined() ? out + bias : out;
}

void product_into(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias,
                  const at::Tensor& out, ProductType type) {
  if (type == ProductType::kWorking) {
    run(a, b, bias, out, /*add=*/false);
  } else {
    out.copy_(product(a, b, bias, type));
  }
}

void add_product(const at::Tensor& a, const at::Tensor& b, at::Tensor& sum, ProductType type) {
  if (!sum.defined()) {
    sum = product(a, b, {}, type);
  } else if (type != ProductType::kWorking) {
    sum.add_(product(a, b, {}, type));
  } else if (has_own_product(a)) {
    run(a, b, {}, sum, /*add=*/true);
  } else {
    sum.addmm_(a, b);
  }
}

}  // namespace contraflow
