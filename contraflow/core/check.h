#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "contraflow/core/export.h"

namespace contraflow {

/// Named checks of user input: each throws a typed error that names place, argument, what was
/// expected, what came, and what to do. Called once, in the public method.

/// Shape [B, event...]; throws ShapeError.
CF_EXPORT void check_event(std::string_view where, std::string_view name, const at::Tensor& t,
                           at::IntArrayRef event);
/// float32 or float64; throws DtypeError.
CF_EXPORT void check_floating(std::string_view where, std::string_view name, const at::Tensor& t);
/// Same dtype and device as `reference`; throws DtypeError.
CF_EXPORT void check_same_kind(std::string_view where, std::string_view name, const at::Tensor& t,
                               const at::Tensor& reference);
/// At least one row; throws ShapeError.
CF_EXPORT void check_not_empty(std::string_view where, std::string_view name, const at::Tensor& t);
/// Every value finite; throws DomainError naming the first bad row and column. Cost: one pass.
CF_EXPORT void check_finite(std::string_view where, std::string_view name, const at::Tensor& t);

}  // namespace contraflow
