#pragma once

#include <string_view>
#include <vector>

#include "contraflow/transforms/contractive_block.h"
#include "contraflow/transforms/registry.h"

namespace contraflow::laws {

/// The samples of an entry that the laws run: the registry's own and those below.
std::vector<LawSample> samples_of(const TransformEntry& entry);

/// Contractive blocks of every form, activation, norm and estimator.
std::vector<LawSample> block_samples();
/// Chains and inverses of the kinds of transforms that stand in flows, within each other.
std::vector<LawSample> chain_samples();
std::vector<LawSample> inverse_samples();
/// Images at several scales, with blocks, conditions and priors.
std::vector<LawSample> multi_scale_samples();
/// Images of transforms that work feature by feature.
std::vector<LawSample> image_samples(std::string_view entry);

/// The registry's block in another form, with another activation, for other events.
ContractiveBlockOptions tight_block(FormKind form, Activation activation, const EventShape& event);

}  // namespace contraflow::laws
