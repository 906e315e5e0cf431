#include "contraflow/networks/layer.h"

#include <ATen/ATen.h>

#include <limits>

namespace contraflow {
namespace {

template <class Rows>
Tape map_rows(const Tape& tape, Rows rows) {
  Tape out;
  out.weight = tape.weight;
  out.reduced = tape.reduced;
  out.takes_reduced = tape.takes_reduced;
  out.shift = tape.shift.defined() && tape.shift.dim() == 2 ? rows(tape.shift) : tape.shift;
  for (const auto field : {&Tape::condition, &Tape::slope}) {
    if ((tape.*field).defined()) out.*field = rows(tape.*field);
  }
  out.children.reserve(tape.children.size());
  for (const Tape& child : tape.children) out.children.push_back(map_rows(child, rows));
  return out;
}

}  // namespace

Tape Tape::select(const at::Tensor& rows) const {
  return map_rows(*this, [&](const at::Tensor& t) { return t.index_select(0, rows); });
}

Tape Tape::narrow(int64_t count) const {
  return map_rows(*this, [&](const at::Tensor& t) { return t.narrow(0, 0, count); });
}

Tape Tape::with_reduced() const {
  Tape out = *this;
  out.takes_reduced = true;
  for (Tape& child : out.children) child = child.with_reduced();
  return out;
}

void Layer::append_bounds(const std::string& name, std::vector<LayerBound>& to) const {
  to.push_back({.name = name, .lower = 0.0, .upper = lipschitz(), .proven = false});
}

double Layer::euclidean_proof() const { return std::numeric_limits<double>::infinity(); }

double Layer::curvature() const { return std::numeric_limits<double>::infinity(); }

void GradientMap::add(const at::Tensor& parameter, const at::Tensor& gradient) {
  at::Tensor& sum = sums_[parameter.unsafeGetTensorImpl()];
  if (sum.defined()) {
    sum.add_(gradient);
  } else {
    sum = gradient;
  }
}

std::vector<at::Tensor> GradientMap::in_order(const std::vector<at::Tensor>& parameters) const {
  std::vector<at::Tensor> out;
  out.reserve(parameters.size());
  for (const at::Tensor& p : parameters) {
    const auto found = sums_.find(p.unsafeGetTensorImpl());
    out.push_back(found == sums_.end() ? at::zeros_like(p) : found->second.view_as(p));
  }
  return out;
}

}  // namespace contraflow
