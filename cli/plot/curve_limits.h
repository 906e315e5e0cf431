#pragma once

#include <vector>

#include "cli/plot/curves.h"

namespace contraflow::plot {

/// Copy ordered by step, without the entries whose step is not finite.
Series ordered(const Series& series);
/// Values that the course of a noisy series is a running mean of, about.
double course_span(const Series& series);
/// The bold course of a noisy series.
std::vector<double> course(const Series& series);
/// Steps from the first to the last finite value; nothing if there is none.
std::optional<Range> step_range(const std::vector<Series>& series);
/// What the y axis shows by default. `series` are ordered.
Range settled_range(const Curves& curves, const std::vector<Series>& series, Range steps);

}  // namespace contraflow::plot
