#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "contraflow/core/export.h"
#include "contraflow/core/options_constraint.h"

namespace contraflow {

/// Which values a column of a table takes, and so how it becomes a number on the whole line.
enum class ColumnKind {
  kContinuous,  ///< Any real number.
  kPositive,    ///< Above `lower` (0 unless given), over several powers of ten: log(x - lower).
  /// Between `lower` and `upper`, of which one may be missing: a logit, or the logarithm of the
  /// distance to the bound that there is.
  kBounded,
  kInteger,  ///< Multiples of `step`, such as whole numbers: uniform noise below a step is added.
  kCount,    ///< The same from `lower` (0 unless given) on, over several powers of ten: the
             ///< logarithm of value plus noise.
};

constexpr auto enum_names(ColumnKind) {
  return std::array{
      std::pair{"continuous", ColumnKind::kContinuous},
      std::pair{"positive", ColumnKind::kPositive}, std::pair{"bounded", ColumnKind::kBounded},
      std::pair{"integer", ColumnKind::kInteger}, std::pair{"count", ColumnKind::kCount}};
}

/// What is known about one column, made once from the training rows:
///   z = (v - center) / scale,
/// where v is the column's number on the whole line that its kind tells of.
struct ColumnInfo {
  ColumnKind kind = ColumnKind::kContinuous;
  std::optional<double> lower = std::nullopt;  ///< Of kPositive, kBounded, kCount.
  std::optional<double> upper = std::nullopt;  ///< Of kBounded.
  double step = 1.0;                           ///< Of kInteger and kCount.
  /// Of kInteger: the values are lower, lower + step, ..., so many. Each has a mass of its own, and
  /// no noise is added: z is the number of the level, which marginal_dequantize takes. 0 = no list.
  int64_t levels = 0;
  /// A value on a bound counts as one this far inside of it: the bound itself has no image.
  double edge = 0.0;
  double center = 0.0;
  double scale = 1.0;

  /// Values are steps, told apart by noise or by their masses.
  bool whole() const { return kind == ColumnKind::kInteger || kind == ColumnKind::kCount; }
  /// The bounds of v's logarithm or logit; unset where there is none on that side.
  std::optional<double> low() const {
    const bool from_zero = kind == ColumnKind::kPositive || kind == ColumnKind::kCount;
    if (from_zero) return lower.value_or(0.0);
    return kind == ColumnKind::kBounded ? lower : std::nullopt;
  }
  /// The least and the largest value that the column can have; unset where it has none.
  std::optional<double> least() const { return levels > 0 ? lower.value_or(0.0) : low(); }
  std::optional<double> most() const {
    if (levels == 0) return high();
    return lower.value_or(0.0) + step * static_cast<double>(levels - 1);
  }
  std::optional<double> high() const { return kind == ColumnKind::kBounded ? upper : std::nullopt; }
};

template <class Field>
void visit(ColumnInfo& o, Field&& field) {
  field("kind", o.kind, "continuous, positive, bounded, integer or count.");
  field("lower", o.lower,
        "Lower bound of positive, bounded and count; none = 0, bounded: no bound.");
  field("upper", o.upper, "Upper bound of bounded; none = no bound.");
  field("step", o.step, positive(), "Step of integer and count.");
  field("levels", o.levels, non_negative(), "Values of integer from lower on; 0 = any.");
  field("edge", o.edge, non_negative(), "How far inside a value on a bound counts.");
  field("center", o.center, "Subtracted from the number on the whole line.");
  field("scale", o.scale, positive(), "Divides what is left.");
}

/// A number of the condition becomes (c - center) / scale, in float64.
struct ConditionScale {
  double center = 0.0;
  double scale = 1.0;
};

template <class Field>
void visit(ConditionScale& o, Field&& field) {
  field("center", o.center, "Subtracted.");
  field("scale", o.scale, positive(), "Divides what is left.");
}

/// ConfigError: bounds in the wrong order, a bounded column without a bound.
CF_EXPORT void validate(const ColumnInfo& info);

/// Which of these numbers of steps, of any shape, are not whole, beyond what a decimal loses in binary
/// and in the division.
CF_EXPORT at::Tensor are_broken_steps(const at::Tensor& steps);

/// Which of these values, of any shape, the column cannot have; NaN is not told.
CF_EXPORT at::Tensor are_impossible(const ColumnInfo& info, const at::Tensor& values);

/// "a value in [0, 1]", "a multiple of 0.5 from 2 on": the values that are not impossible.
CF_EXPORT std::string possible_values(const ColumnInfo& info);

}  // namespace contraflow
