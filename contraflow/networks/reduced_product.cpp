#include "contraflow/networks/reduced_product.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/cpu/Utils.h>

#include <mutex>
#include <string>

#include "contraflow/core/log.h"
#include "contraflow/core/options.h"
#include "contraflow/core/roundoff.h"
#include "contraflow/kernels/isa.h"

namespace contraflow {
namespace {

// Tensor cores may cut a factor's last bits where this code rounds them.
constexpr double kTf32Cut = 0x1p-10;

// Rounds to 11 bits, by Veltkamp: c - (c - t) with c = (2^13 + 1) t.
at::Tensor rounded_to_tf32(const at::Tensor& t) {
  const at::Tensor c = t * 8193.0;
  return c - (c - t);
}

bool has_instructions(ProductType type, const at::Tensor& a) {
  if (a.is_cuda()) return true;
  return type == ProductType::kBFloat16 && a.is_cpu() && kernels::tiles_enabled() &&
         has_bfloat16_instructions();
}

void say_once(ProductType type) {
  static std::once_flag said[2];
  std::call_once(said[type == ProductType::kTf32 ? 1 : 0], [type] {
    log(LogLevel::kInfo,
        std::string(enum_name(type)) +
            " products: this processor has no instructions for them; same numbers, "
            "no gain");
  });
}

}  // namespace

double unit_roundoff(ProductType type, at::ScalarType working) {
  if (working != at::kFloat || type == ProductType::kWorking) return unit_roundoff(working);
  return type == ProductType::kBFloat16 ? unit_roundoff(at::kBFloat16) : kTf32Cut;
}

WeightFactor reduced_factor(const at::Tensor& weight, ProductType type) {
  if (type == ProductType::kWorking || weight.scalar_type() != at::kFloat) return {};
  return {rounded(weight, type), type};
}

// With W~ = W + E the weight as rounded, u the roundoff of the other factor and v that of results:
//   |P a - W a| <= |E| |a| + u |W~| |a| + v (1 + u) |W~| |a|,   |W~| <= lipschitz + |E|.
// |E| is at most the sum over taps of Frobenius norms. Results of a convolution may be rounded tap by
// tap and summed up after: k^2 of them meet in a number, so that their errors add up to at most k
// times that of one.
at::Tensor product_error(const WeightFactor& reduced, const at::Tensor& weight, double lipschitz) {
  const double u = unit_roundoff(reduced.products, at::kFloat);
  const bool rounds_results = reduced.products == ProductType::kBFloat16;
  const double taps = weight.dim() == 4 ? static_cast<double>(weight.size(2)) : 1.0;
  const double gain = u + (rounds_results ? u * (1 + u) * taps : 0.0);
  const at::Tensor moved = (reduced.weight - weight).flatten(0, 1);
  const at::Tensor by_tap =
      at::linalg_vector_norm(moved, 2, at::IntArrayRef{0}).sum().to(at::kDouble);
  constexpr double kSlack = 1 + 1e-4;  // rounding of the norms
  return ((1 + gain) * kSlack * by_tap).add(gain * lipschitz);
}

at::Tensor rounded(const at::Tensor& t, ProductType type) {
  switch (type) {
    case ProductType::kBFloat16:
      return t.to(at::kBFloat16).to(t.scalar_type());
    case ProductType::kTf32:
      return rounded_to_tf32(t);
    case ProductType::kWorking:
      break;
  }
  return t;
}

bool has_bfloat16_instructions() {
  static const bool has = [] {
    const auto able = at::cpu::get_cpu_capabilities();
    const auto is = [&able](const char* name) {
      const auto found = able.find(name);
      return found != able.end() && found->second.isBool() && found->second.toBool();
    };
    return is("amx_bf16") || is("avx512_bf16");
  }();
  return has;
}

at::Tensor in_products_of(ProductType type, const at::Tensor& a, const at::Tensor& b,
                          const ProductBody& body) {
  if (type == ProductType::kWorking) return body(a, b);
  const bool narrow = type == ProductType::kBFloat16;
  if (!has_instructions(type, a)) {
    say_once(type);
    const at::Tensor out = body(rounded(a, type), rounded(b, type));
    return narrow ? rounded(out, type) : out;
  }
  if (narrow) return body(a.to(at::kBFloat16), b.to(at::kBFloat16)).to(a.scalar_type());
  const AllowTf32 scope;
  return body(a, b);
}

AllowTf32::AllowTf32()
    : products_(at::globalContext().allowTF32CuBLAS()),
      convolutions_(at::globalContext().allowTF32CuDNN(at::Float32Op::CONV)) {
  at::globalContext().setAllowTF32CuBLAS(true);
  at::globalContext().setAllowTF32CuDNN(true);
}

AllowTf32::~AllowTf32() {
  at::globalContext().setAllowTF32CuBLAS(products_);
  at::globalContext().setAllowTF32CuDNN(convolutions_);
}

}  // namespace contraflow
