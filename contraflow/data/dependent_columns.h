#pragma once

#include <vector>

#include "contraflow/core/column_info.h"
#include "contraflow/data/table.h"

namespace contraflow::data {

/// DomainError where one of the columns `kept` is a linear combination of others, named: rows then
/// lie on a plane, where a density grows without limit. Columns in steps may combine among
/// themselves, since noise lifts them off the plane.
///
/// Cost       one pass, and the eigenvectors of a matrix of the columns.
void check_independent(const Table& table, const std::vector<size_t>& kept,
                       const std::vector<ColumnInfo>& infos);

}  // namespace contraflow::data
