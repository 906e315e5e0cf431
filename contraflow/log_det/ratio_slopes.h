#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/log_det/block_form.h"

namespace contraflow {

/// Derivatives of a series' estimate with respect to the ratios B / A and D / C of a learned form,
/// at fixed w, A and C: [2, b], mean over probes. They need the traces that the value needs, with
/// other coefficients.

/// Zeros [2, b] for probes [p, b, d].
at::Tensor zero_ratio_slopes(const at::Tensor& probes);

/// Adds the term of J^power to the first rows of `slopes`; `traces` [rows]: v . J^power v,
/// weighted.
void add_ratio_slopes(const BlockForm& form, int power, const at::Tensor& traces,
                      at::Tensor& slopes);

/// From the slopes of form.shifted(shift) those of `form`, constant term included: for r = D / C,
/// C + D shift = C (1 + r shift) and the shifted form's ratio is r / (1 + r shift).
at::Tensor unshifted_ratio_slopes(const BlockForm& form, double shift, int64_t dim,
                                  const at::Tensor& slopes);

}  // namespace contraflow
