#pragma once

#include <string>
#include <vector>

#include "cli/plot/axis.h"
#include "contraflow/data/columns.h"

namespace contraflow::cli {

/// The name of column k as a picture can show it: its number where no font has its characters.
std::string drawn_name(const data::Columns& columns, size_t k);
/// The title of a picture, or "data" where no font has its characters.
std::string drawn_title(const std::string& title);
/// Lines for the user about the names that are drawn as numbers.
std::vector<std::string> undrawable_names(const data::Columns& columns);

/// Numbers of the columns of these names. ConfigError with the nearest name.
std::vector<int64_t> column_numbers(const std::vector<std::string>& names,
                                    const data::Columns& columns);

/// Distance of neighbouring values of column k, 0 where any value can be.
double step_of(const data::Columns& columns, size_t k);
/// The axis of column k, for values that it should show: logarithms over powers of ten.
plot::AxisScale axis_scale(const data::Columns& columns, size_t k, std::vector<double> values);

}  // namespace contraflow::cli
