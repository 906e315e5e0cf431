#include "contraflow/bases/normal.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <numbers>

#include "contraflow/core/registry_entry.h"

namespace contraflow {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// -|z|^2 / 2 - constant as one node of the graph: as four, it costs a small flow's training step
// more than the optimizer does. The derivative is made of tensor operations, so it has one too.
class NormalLogProb : public torch::autograd::Function<NormalLogProb> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& z, double constant) {
    ctx->save_for_backward({z});
    return z.square().flatten(1).sum(1).mul_(-0.5).sub_(constant);
  }
  static variable_list backward(AutogradContext* ctx, const variable_list& outer) {
    const at::Tensor z = ctx->get_saved_variables()[0];
    std::vector<int64_t> per_row(static_cast<size_t>(z.dim()), 1);
    per_row[0] = z.size(0);
    return {-outer[0].view(per_row) * z, {}};
  }
};

template <class T>
void negate(const T* z, int64_t count, T* out) {
  for (int64_t k = 0; k < count; ++k) out[k] = -z[k];
}

}  // namespace

Normal::Normal(NormalOptions options) : options_(options) {
  check_options(options_, "Normal");
  anchor_ = register_buffer("anchor", at::zeros({}));
}

nlohmann::ordered_json Normal::spec() const { return spec_of<Normal>(options_); }

at::TensorOptions Normal::tensor_options() const { return anchor_.options(); }

at::Tensor Normal::do_log_prob(const at::Tensor& z) const {
  const double constant =
      0.5 * static_cast<double>(options_.event.size()) * std::log(2.0 * std::numbers::pi);
  return NormalLogProb::apply(z, constant);
}

void Normal::score(const float* z, int64_t rows, int64_t columns, float* out) const {
  negate(z, rows * columns, out);
}

void Normal::score(const double* z, int64_t rows, int64_t columns, double* out) const {
  negate(z, rows * columns, out);
}

at::Tensor Normal::do_sample(int64_t count, const Rng& rng, double temperature) const {
  return temperature * rng.normal(batch_shape(count), tensor_options());
}

}  // namespace contraflow
