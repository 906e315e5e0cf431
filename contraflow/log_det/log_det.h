#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/core/export.h"
#include "contraflow/core/rng.h"
#include "contraflow/log_det/block_form.h"
#include "contraflow/log_det/options.h"
#include "contraflow/log_det/roulette.h"
#include "contraflow/networks/contractive_net.h"

namespace contraflow {

/// An estimate of log|det dy/dx| and the probes that carry its gradient:
///   d log_det_b = sum_p u_pb . dJ_b t_pb   (in expectation, for the random ones).
struct LogDetEstimate {
  at::Tensor value;           ///< [b], nats
  at::Tensor standard_error;  ///< [b], nats, of the spread over the probes of a row; undefined =
                              ///< nothing random, one probe, or roulette (whose draw of the length
                              ///< all probes of a row share: replicates tell)
  at::Tensor bias_bound;  ///< [b], nats: certified bound on |bias|, rounding of products of reduced
                          ///< precision included; undefined = none
  at::Tensor u;           ///< [p, b, d]; undefined when no gradient was asked for
  at::Tensor t;           ///< [p, b, d]
  at::Tensor jac;         ///< [b, d, d], when the estimator computed it (exact)
  at::Tensor ratios;      ///< [2, b]: d value / d(B/A) and d value / d(D/C) at fixed w, A and C;
                          ///< undefined unless the form is learned and a gradient asked for
};

/// log|det(C I + D J)| - log|det(A I + B J)| at `point`, J = dG/dw [b, d, d].
///
/// Exact      J by d JVPs, then LU (closed form for d <= 2); probes are the unit vectors. At most
///            kMostJacobianNumbers are computed in a call.
/// Truncated  v^T J^k v chains by VJPs; bias at most |v||J^n v| rho / ((n+1)(1-rho)) a probe, rho
///            the contraction of the series, averaged over probes.
/// Adaptive   the same, each row until that bound is at most the tolerance; rows that are done
///            leave.
/// Krylov     Arnoldi's basis of v, J^T v, ... and f(H) of the small matrix; same value for the
///            rows of any batch; bias bound in docs/numerics.md.
/// Roulette   the chain, row by row as long as its draw allows, term j divided by P_j.
/// Neumann    one chain gives both the value and the gradient's weights: the k-th vector of the
///            chain enters the value with series(k) and u with (k+1) series(k+1).
/// Law        roulette draws by `law`; null = that of the options (optimal: the one before
///            calibration), see term_law().
/// Learned    forms (form.learned): derivatives by the ratios of the matrix come from the traces
///            of the value, and are unbiased where it is.
/// Colours    options.colors: `probes` probes a colour, each sqrt(colours) times signs of the
///            features of that colour (log_det/coloring.h).
/// Random     rng, rows as in Rng. Probes and roulette draw from separate forks.
/// Products   truncated, adaptive and roulette take those of point.reduced(), whose rounding is in
///            bias_bound (of roulette: for the terms that it drew); exact and Krylov take working ones.
/// Norms      kappa bounds |J| in the norm of its order p; the chains run with J^T, whose dual norm
///            it bounds as well, so that tails are bounded by |v|_p |(J^T)^n v|_p*.
/// Throws     ConfigError for Krylov in another norm than the Euclidean, for colours that a row of
///            d features cannot have, and for exact Jacobians beyond their limit.
/// Source     Chen et al. 2019, theorems 1 and 2; docs/numerics.md.
CF_EXPORT LogDetEstimate estimate_log_det(const BlockForm& form, const NetPoint& point,
                                          const LipschitzBound& kappa, const LogDetOptions& options,
                                          const Rng& rng, bool with_gradient,
                                          const TermLaw* law = nullptr);

/// Most entries of the Jacobians of one call, 2 GiB in float32: a batch of images is refused
/// before memory runs out.
inline constexpr int64_t kMostJacobianNumbers = int64_t{1} << 29;

/// J [b, d, d] by JVP columns, in chunks that keep the products small. Throws ConfigError above
/// kMostJacobianNumbers.
CF_EXPORT at::Tensor jacobian(const NetPoint& point);

}  // namespace contraflow
