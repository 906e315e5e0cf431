#pragma once

#include <string>

#include "contraflow/distributions/flow.h"
#include "contraflow/training/flat_parameters.h"

namespace contraflow {

/// Where a NaN or an infinity came from; fields are empty where nothing was found.
struct NonFinite {
  std::string block;      ///< Dotted name of the transform, or "base".
  std::string parameter;  ///< Dotted name of its first parameter that is not finite.
  std::string what;       ///< "value" or "gradient" of that parameter.
};

/// The first parameter whose value is not finite; of any module. Its block is the module it is in.
NonFinite find_in_values(const FlatParameters& parameters);

/// The last parameter, in the order of registration, whose gradient is not finite; of any module.
NonFinite find_in_gradients(const FlatParameters& parameters);

/// Finds the origin of a flow's loss that is not finite: a parameter that is not finite, else the
/// first block whose output is not, by running the transform block by block. The gradients in
/// `parameters` must be those of the loss.
NonFinite find_in_forward(const Flow& flow, const FlatParameters& parameters, const at::Tensor& x,
                          const Context& context);

/// Finds the origin of a flow's gradients that are not finite although the loss is: the last block
/// in the order of computation that has one, since backward reaches it first and spoils those
/// before it.
NonFinite find_in_gradients(const Flow& flow, const FlatParameters& parameters);

/// "nan in transform.members.3.net.weight (block transform.members.3)" and the like.
std::string describe(const NonFinite& origin);

}  // namespace contraflow
