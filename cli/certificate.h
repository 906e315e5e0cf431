#pragma once

#include <string>
#include <vector>

#include "contraflow/data/source.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/networks/contractive_net.h"

namespace contraflow::cli {

enum class Verdict {
  kCertified,  ///< Every bound is proven below 1 and every row came back within its bound.
  kNotProven,  ///< The rows did, but some norm is an estimate.
  kFailed,     ///< A bound of 1 or more, or a row that did not come back within its bound.
};

/// "CERTIFIED", "NOT PROVEN" or "FAILED".
const char* verdict_text(Verdict verdict);

/// One contractive block: what is proven about it, and what real rows did in it.
struct BlockCertificate {
  std::string name;
  std::string form = {};
  double norm_order = 2.0;  ///< p of the norm in which the next two hold.
  double upper = 0.0;       ///< Bound in force on Lip(G).
  double lower = 0.0;       ///< Largest |J v|_p / |v|_p found at the rows: Lip(G) is at least this.
  bool proven = false;
  double worst_error = 0.0;   ///< Largest |inverse(forward(x)) - x|, Euclidean.
  double worst_bound = 0.0;   ///< Largest certified bound on it.
  bool within_bounds = true;  ///< Row by row.
  std::vector<LayerBound> layers = {};
  Verdict verdict() const;
};

struct Certificate {
  std::vector<BlockCertificate> blocks;
  int64_t rows = 0;
  /// The whole chain behind a dequantization: data to latent and back.
  double worst_error = 0.0;
  double worst_bound = 0.0;  ///< Infinite where a member has no Lipschitz bound.
  bool within_bounds = true;
  Verdict verdict() const;
};

/// Proves every block anew from the weights that the flow holds, then sends `rows` rows of `source`
/// through it and back. The flow is in float64.
Certificate certify(Flow& flow, const data::Source& source, int64_t rows, const Rng& rng);

}  // namespace contraflow::cli
