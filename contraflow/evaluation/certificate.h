#pragma once

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/options_constraint.h"
#include "contraflow/data/source.h"
#include "contraflow/distributions/flow.h"
#include "contraflow/networks/contractive_net.h"

namespace contraflow {

enum class Verdict {
  kCertified,  ///< Every bound is proven below 1 and every row came back within its bound.
  kNotProven,  ///< The rows did, but some norm is an estimate.
  kFailed,     ///< A bound of 1 or more, or a row that did not come back within its bound.
};

constexpr auto enum_names(Verdict) {
  return std::array{std::pair{"CERTIFIED", Verdict::kCertified},
                    std::pair{"NOT PROVEN", Verdict::kNotProven},
                    std::pair{"FAILED", Verdict::kFailed}};
}

/// One contractive block: what is proven about it, and what real rows did in it.
struct CF_EXPORT BlockCertificate {
  std::string name;
  std::string form = {};
  double norm_order = 2.0;  ///< p of the norm in which the next two hold.
  double upper = 0.0;       ///< Bound in force on Lip(G).
  double lower = 0.0;       ///< Largest |J v|_p / |v|_p found at the rows: Lip(G) is at least this.
  bool proven = false;
  double worst_error = 0.0;  ///< Largest |inverse(forward(x)) - x|, Euclidean.
  double worst_bound = 0.0;  ///< Largest certified bound on it.
  double worst_solve =
      0.0;  ///< Largest certified error of a point that a solve found; 0: explicit.
  bool within_bounds = true;  ///< Row by row.
  std::vector<LayerBound> layers = {};
  Verdict verdict() const;
};

struct CF_EXPORT Certificate {
  std::vector<BlockCertificate> blocks;
  int64_t rows = 0;
  /// The whole flow after a dequantization and after the map of a table's columns: from standardised
  /// numbers to the latent and back.
  double worst_error = 0.0;
  double worst_bound = 0.0;    ///< Infinite where a member has no Lipschitz bound.
  std::string unbounded = {};  ///< Path of the first such member on the way back: "2.inner".
  bool standardised = false;   ///< Whether those two are after the map of a table's columns.
  /// Largest |x' - x| of each number of an event, in the data's own units, from the data to the
  /// latent and back.
  std::vector<double> own_errors = {};
  int64_t values = 0;  ///< Numbers that went from the data to the latent and back.
  /// Of these the ones that came back as another integer after rounding, and the rows that have one; of
  /// use where data are integers.
  int64_t wrong_values = 0;
  int64_t wrong_rows = 0;
  bool within_bounds = true;
  Verdict verdict() const;
  /// Whether the bound says something: standardised data have a spread of about 1.
  bool has_useful_bound() const { return worst_bound <= 1.0; }
};

/// Called after each chunk with the rows that are done.
using RowsCertified = std::function<void(int64_t rows)>;

/// Proves every contractive block anew from the weights that the flow holds, wherever it is nested,
/// then sends `rows` rows of `source` through the flow and back, block by block and as a whole.
///
/// Types      the flow is in float64; on any device.
/// Random     `rng` draws dequantizations and the directions of slopes; row r as sample r.
/// State      refreshes the norms of the networks: exclusive access to the flow.
/// Cost       a proof of each weight; per row and block two inverses and some 20 network passes, for
///            events of up to 128 numbers as many again as there are.
/// Throws     as Flow::log_prob and Flow::sample; a failed proof is a verdict, not an error.
/// Source     docs/numerics.md.
/// Example    const Certificate c = certify(*flow, *splits.test, 1000, Rng(1));
CF_EXPORT Certificate certify(Flow& flow, const data::Source& source, int64_t rows, const Rng& rng,
                              const RowsCertified& done = {});

}  // namespace contraflow
