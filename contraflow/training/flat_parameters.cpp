#include "contraflow/training/flat_parameters.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include "contraflow/core/check.h"
#include "contraflow/core/error.h"

namespace contraflow {
namespace {

constexpr int64_t kAlignment = 64;  // bytes: one cache line, one AVX-512 register

int64_t aligned(int64_t elements, const at::Tensor& t) {
  const int64_t unit = kAlignment / static_cast<int64_t>(t.element_size());
  return (elements + unit - 1) / unit * unit;
}

bool same_kind(const at::Tensor& a, const at::TensorOptions& b) {
  return a.scalar_type() == c10::typeMetaToScalarType(b.dtype()) && a.device() == b.device();
}

bool is_view(const at::Tensor& t, const at::Tensor& buffer, int64_t offset) {
  return t.defined() && t.scalar_type() == buffer.scalar_type() && t.is_contiguous() &&
         t.const_data_ptr() == static_cast<const char*>(buffer.const_data_ptr()) +
                                   offset * static_cast<int64_t>(buffer.element_size());
}

}  // namespace

FlatParameters::FlatParameters(torch::nn::Module& module) {
  std::vector<at::TensorOptions> kinds;
  std::vector<int64_t> sizes;
  std::set<const void*> seen;  // a parameter that two modules share has one slot
  for (const auto& item : module.named_parameters()) {
    const at::Tensor& p = item.value();
    if (!p.defined() || !p.requires_grad() || !seen.insert(p.unsafeGetTensorImpl()).second)
      continue;
    check_floating("FlatParameters", item.key(), p);
    const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                   [&p](const at::TensorOptions& k) { return same_kind(p, k); });
    const auto buffer = static_cast<size_t>(kind - kinds.begin());
    if (kind == kinds.end()) {
      kinds.push_back(at::TensorOptions().dtype(p.scalar_type()).device(p.device()));
      sizes.push_back(0);
    }
    slots_.push_back({item.key(), p, buffer, sizes[buffer]});
    sizes[buffer] += aligned(p.numel(), p);
    count_ += p.numel();
  }
  for (size_t i = 0; i < kinds.size(); ++i) {
    values_.push_back(at::zeros({sizes[i]}, kinds[i]));
    gradients_.push_back(at::zeros({sizes[i]}, kinds[i]));
  }
  const at::NoGradGuard no_grad;
  for (ParameterSlot& slot : slots_) {
    at::Tensor data = view(values_, slot);
    data.copy_(slot.parameter);
    slot.parameter.mutable_grad() = at::Tensor();
    slot.parameter.set_data(data);
    slot.parameter.mutable_grad() = view(gradients_, slot);
  }
}

at::Tensor FlatParameters::view(const std::vector<at::Tensor>& flat,
                                const ParameterSlot& slot) const {
  return flat[slot.buffer]
      .narrow(0, slot.offset, slot.parameter.numel())
      .view(slot.parameter.sizes());
}

void FlatParameters::zero_gradients() {
  for (at::Tensor& g : gradients_) g.zero_();
}

void FlatParameters::release_gradients() {
  for (ParameterSlot& slot : slots_) slot.parameter.mutable_grad() = at::Tensor();
}

void FlatParameters::require_current() const {
  for (const ParameterSlot& slot : slots_) {
    const at::Tensor& p = slot.parameter;
    const bool fits = is_view(p, values_[slot.buffer], slot.offset) &&
                      is_view(p.grad(), gradients_[slot.buffer], slot.offset);
    if (fits) continue;
    fail<ConfigError>(
        "FlatParameters", slot.name, "a parameter and gradient that are views of the flat buffers",
        c10::str(p.dtype().name(), " elsewhere in memory"),
        "Convert or move the flow before training; afterwards build FlatParameters anew, "
        "and leave .grad alone.");
  }
}

std::vector<at::Tensor> FlatParameters::zeros() const {
  std::vector<at::Tensor> out;
  for (const at::Tensor& v : values_) out.push_back(at::zeros_like(v));
  return out;
}

NamedTensors FlatParameters::named(const std::vector<at::Tensor>& flat) const {
  NamedTensors out;
  for (const ParameterSlot& slot : slots_) out.emplace(slot.name, view(flat, slot));
  return out;
}

}  // namespace contraflow
