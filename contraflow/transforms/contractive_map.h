#pragma once

#include <optional>
#include <string>

#include "contraflow/core/export.h"
#include "contraflow/core/randomness.h"
#include "contraflow/log_det/block_form.h"
#include "contraflow/log_det/law_state.h"
#include "contraflow/log_det/options.h"
#include "contraflow/networks/contractive_net.h"

namespace contraflow {

/// What certificates and reports ask of a transform  x = A w + B G(w),  z = C w + D G(w)  with a
/// contractive network G; Transform::contractive() gives it.
class CF_EXPORT ContractiveMap {
 public:
  virtual ~ContractiveMap() = default;

  /// The matrix in force.
  virtual BlockForm form() const = 0;
  /// Name of the form in the options: where a learned one started.
  virtual std::string form_name() const = 0;
  virtual bool learns_form() const = 0;
  /// The network: its bound, whether that is proven, its layers. Refreshing it needs exclusive
  /// access to the transform.
  virtual const ContractiveNetPtr& net() const = 0;
  /// The estimator of a phase; nothing but the phase chooses.
  virtual const LogDetOptions& log_det(Phase phase) const = 0;
  /// The roulette in force in that phase, of form() and as well of its inverse: the calibrated law,
  /// or that of the options. Unset where the phase does not use roulette.
  virtual std::optional<TermLaw> term_law(Phase phase) const = 0;
  /// What was measured; unset unless the phase uses the optimal law and has been calibrated.
  virtual std::optional<Calibration> calibration(Phase phase) const = 0;
};

}  // namespace contraflow
