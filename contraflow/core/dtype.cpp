#include "contraflow/core/dtype.h"

namespace contraflow {

at::ScalarType scalar_type(FloatType type) {
  return type == FloatType::kFloat64 ? at::kDouble : at::kFloat;
}

}  // namespace contraflow
