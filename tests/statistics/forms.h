#pragma once

#include "contraflow/log_det/block_form.h"

namespace contraflow {

/// y = x + g(x).
inline const BlockForm kResidual{1, 0, 1, 1};

}  // namespace contraflow
