#pragma once

#include "contraflow/core/export.h"

namespace contraflow {

class NetLowering;

/// What a layer or a net offers that the tile kernels can run (networks/net_lowering.h); its
/// composed form stays the definition. Reached by lowerable() of either.
class CF_EXPORT LowerableNet {
 public:
  /// Adds it to a net of tiles; false when the tile kernels cannot run it.
  virtual bool lower(NetLowering& to) const = 0;

 protected:
  LowerableNet() = default;
  LowerableNet(const LowerableNet&) = default;
  LowerableNet& operator=(const LowerableNet&) = default;
  ~LowerableNet() = default;
};

/// lower() of a layer or a net; false where it offers none.
template <class T>
bool lower_net(const T& layer, NetLowering& to) {
  const LowerableNet* lowerable = layer.lowerable();
  return lowerable != nullptr && lowerable->lower(to);
}

}  // namespace contraflow
