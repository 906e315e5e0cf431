#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <vector>

namespace contraflow {

/// Buffers of numbers that are float64 on the CPU whatever the weights of their module are: proofs
/// of bounds, measured laws. Our own to() leaves them alone (KeepsFloat64Buffers). Other code may
/// cast or move buffers one by one, as `.to()`, `.cuda()` and `.half()` of a wrapped module do in
/// Python: then they are read with float64_on_cpu() all the same, and mended where they are written.

/// The values of a buffer as contiguous float64 on the CPU: the buffer itself where it is that.
inline at::Tensor float64_on_cpu(const at::Tensor& buffer) {
  if (buffer.is_cpu() && buffer.scalar_type() == at::kDouble && buffer.is_contiguous())
    return buffer;
  return buffer.detach().to(at::kCPU, at::kDouble).contiguous();
}

/// Makes the buffer itself contiguous float64 on the CPU again.
inline void restore_float64(at::Tensor& buffer) {
  const at::Tensor values = float64_on_cpu(buffer);
  if (!values.is_same(buffer)) buffer.set_data(values);
}

/// Base of a module, derived from Base, that has such buffers.
template <class Base>
class KeepsFloat64Buffers : public Base {
 public:
  void to(torch::Device device, torch::Dtype dtype, bool non_blocking = false) override {
    keep([&] { Base::to(device, dtype, non_blocking); });
  }
  void to(torch::Dtype dtype, bool non_blocking = false) override {
    keep([&] { Base::to(dtype, non_blocking); });
  }
  void to(torch::Device device, bool non_blocking = false) override {
    keep([&] { Base::to(device, non_blocking); });
  }

 protected:
  /// The buffers that stay as they are.
  virtual std::vector<at::Tensor> float64_buffers() const = 0;
  /// Called after each conversion of the others.
  virtual void converted() {}

 private:
  template <class Convert>
  void keep(Convert convert) {
    std::vector<at::Tensor> buffers = float64_buffers(), kept;
    for (const at::Tensor& buffer : buffers) kept.push_back(buffer.clone());
    convert();
    for (size_t k = 0; k < buffers.size(); ++k) buffers[k].set_data(kept[k]);
    converted();
  }
};

}  // namespace contraflow
