#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "contraflow/data/dataset.h"

namespace contraflow::data {

/// Checksum of rows by their hashes, sixteen hexadecimal digits; the order of the rows is free.
std::string checksum_text(const std::vector<uint64_t>& hashes);

/// DomainError unless `got` is the identity of the known data, or they may have changed: then a note
/// says so. `source` names the data.
void check_identity(const DataIdentity& got, const KnownData& known, const std::string& source,
                    std::vector<std::string>& notes);

}  // namespace contraflow::data
