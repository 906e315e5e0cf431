#pragma once

#include <cstdint>

#include "contraflow/kernels/activations.h"

namespace contraflow::kernels {

/// An elementwise activation with its derivatives, in one pass over contiguous rows on the host.
///
/// Shapes   z: [rows, features]; value, slope, curvature: [rows, expansion(kind) features].
/// Types    float, double. NaN propagates.
/// Error    a few units in the last place of activation_jet_composed(), the definition.
/// Not for  sorting activations, nor kSin, whose vector form ends at |z| = 39,000.
/// Threads  shared with the caller's; results do not depend on their number.
template <class T>
struct JetCall {
  Activation kind = Activation::kTanh;
  double beta = 1.0;
  int64_t rows = 0;
  int64_t features = 0;
  const T* z = nullptr;
  T* value = nullptr;
  T* slope = nullptr;      ///< null where not wanted
  T* curvature = nullptr;  ///< the same
};

void run_jets(const JetCall<float>& call);
void run_jets(const JetCall<double>& call);

}  // namespace contraflow::kernels
