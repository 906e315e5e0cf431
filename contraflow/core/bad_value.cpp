#include "contraflow/core/bad_value.h"

#include <ATen/ATen.h>

namespace contraflow {

std::string BadValue::place_text() const {
  if (place.size() == 1) return "column " + std::to_string(place.front());
  std::string out = "pixel [";
  for (size_t axis = 0; axis < place.size(); ++axis)
    out += (axis > 0 ? ", " : "") + std::to_string(place[axis]);
  return out + "]";
}

std::string BadValue::text() const {
  return "row " + std::to_string(row) + (place.empty() ? "" : ", " + place_text());
}

std::optional<BadValue> first_bad(const at::Tensor& x, const at::Tensor& bad) {
  if (!bad.any().item<bool>()) return std::nullopt;
  const at::Tensor index = bad.nonzero()[0];
  BadValue out{.row = index[0].item<int64_t>()};
  at::Tensor value = x[out.row];
  for (int64_t axis = 1; axis < index.size(0); ++axis) {
    out.place.push_back(index[axis].item<int64_t>());
    value = value[out.place.back()];
  }
  out.value = value.item<double>();
  return out;
}

}  // namespace contraflow
