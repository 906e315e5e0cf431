#pragma once

#include <string>
#include <vector>

#include "contraflow/data/columns.h"
#include "contraflow/data/data_options.h"
#include "contraflow/data/survey.h"

namespace contraflow::data {

/// Decides how the cells of the chosen columns are read, by what a file holds: booleans as 0 and 1,
/// dates as seconds, the words of the label as classes. Columns of words, and columns that are missing
/// in more than half of the rows, are left out, unless the user named the columns.
///
/// Throws     ConfigError: a column of words that was named to be modelled or to condition on, a label
///            of too many different words.
void decide_cells(const TableSurvey& survey, const DataOptions& options, Columns& columns);

/// How a file is read whose columns are those: cells and marks of missing ones.
void use_cells(const Columns& columns, FileOptions& file);

/// Columns of the survey whose cell in the header was empty; none of a file without a header.
std::vector<std::string> unnamed_columns(const TableSurvey& survey);

}  // namespace contraflow::data
