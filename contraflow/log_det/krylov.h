#pragma once

#include "contraflow/core/export.h"
#include "contraflow/log_det/log_det.h"

namespace contraflow {

/// The Krylov branch of estimate_log_det(): v . [log(I + D/C J) - log(I + B/A J)] v from one
/// orthogonal basis of v, J^T v, ..., (J^T)^(m-1) v and the m x m matrix H of J^T in it, for each
/// probe and row. Exact for m = d; m products with J^T in any case (m at most d).
///
/// Bias       bias_bound holds for |J| <= kappa in the Euclidean norm.
/// Gradient   the same basis: u = |v| V [D (C + D H)^-1 - B (A + B H)^-1] e_1.
/// Cost       m products, m^2 d for the basis, O(m^2) a node and ratio for the small matrix; memory
///            of m vectors a probe and row.
/// Throws     ConfigError when kappa is about another norm.
CF_EXPORT LogDetEstimate krylov_log_det(const BlockForm& form, const NetPoint& point,
                                        const LipschitzBound& kappa,
                                        const KrylovQuadrature& options, const Rng& rng,
                                        bool with_gradient);

}  // namespace contraflow
