#pragma once

#include <vector>

#include "contraflow/transforms/lowering.h"

namespace contraflow {

/// Adds  y = scale x + shift  with fixed numbers per feature to a tile program.
void lower_fixed_affine(TileLowering& to, std::vector<double> scale, std::vector<double> shift);

/// Adds  z = (x + shift) exp(log_scale),  or its inverse, with the gradients of both parameters [D];
/// `shift` may be undefined: there is none. False, and nothing added, when the parameters are not
/// of the type of the run, which their gradients are.
bool lower_trained_affine(TileLowering& to, const at::Tensor& shift, const at::Tensor& log_scale,
                          bool inverse);

}  // namespace contraflow
