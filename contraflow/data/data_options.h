#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/data/rows.h"
#include "contraflow/data/splits.h"

namespace contraflow::data {

/// What becomes of a row with a missing cell.
enum class MissingRows { kDrop, kError };

constexpr auto enum_names(MissingRows) {
  return std::array{std::pair{"drop", MissingRows::kDrop}, std::pair{"error", MissingRows::kError}};
}

/// What to fit a density to.
struct DataOptions {
  /// A toy density (toy.h), "digits", "digits_images", the path of a .csv, .tsv, .txt or .npy file, or
  /// that of images: docs/images.md.
  std::string name = "checkerboard";
  /// Columns that the density is over; empty = all that the next three do not name. Toys have the
  /// columns x0, x1 and, where they are made of parts, label; the digits pixel_R_C and label. These
  /// labels can be given, not modelled. Images have the label "label", CIFAR-100 "coarse_label" too.
  std::vector<std::string> columns = {};
  /// Columns of a file that are left out.
  std::vector<std::string> exclude = {};
  /// Kinds of modelled columns by their names: a word of ColumnKind, or a table of kind, lower,
  /// upper and step. Columns without one are guessed from their values (plan_columns).
  nlohmann::ordered_json kinds = nlohmann::ordered_json::object();
  std::vector<std::string> condition = {};
  std::string label = "";
  /// A column of the file, or, with the ending of a file of rows, another file of one column with
  /// one weight for each row. Finite, >= 0, not all zero (weights.h); empty = every row counts
  /// alike.
  std::string weight = "";
  /// Rows with a missing cell in a column that is used: left out, with a count, or an error.
  MissingRows missing = MissingRows::kDrop;
  /// What a missing cell may hold besides nothing, NA, NaN, null and their like.
  std::vector<std::string> missing_marks = {};
  CsvHeader header = CsvHeader::kAuto;
  CsvDelimiter delimiter = CsvDelimiter::kAuto;
  DecimalMark decimal = DecimalMark::kAuto;
  TextEncoding encoding = TextEncoding::kAuto;
  /// Values are integers 0 .. levels - 1, to be dequantized; 0 = continuous. Digits have 17.
  int64_t levels = 0;
  /// [low, high] that values cannot leave; empty = unbounded.
  std::vector<double> bounds = {};
  /// [height, width] or [channels, height, width] of the image that a row holds, for pictures;
  /// empty = rows are no images. Digits are [8, 8].
  std::vector<int64_t> image = {};
  /// Events of several dimensions, such as images, become rows, for models of rows.
  bool flatten = false;
  /// Images of 256 levels: only the highest bits of each pixel, so 2^bits levels; unset = all 8.
  std::optional<int64_t> bits = {};
  /// Changes of training images, drawn anew in each step; validation and test images stay as they are.
  bool flip = false;         ///< Left and right change places in half of them.
  int64_t crop_padding = 0;  ///< Each moves by at most so many pixels; its border is mirrored.
  /// A column whose rows of one value fall into one part; empty = rows fall by their own values.
  std::string group = "";
  /// A column by which the last rows are the test and those before them the validation.
  std::string time = "";
  /// Sizes in rows take precedence over fractions.
  double validation_fraction = 0.1;
  double test_fraction = 0.1;
  std::optional<int64_t> validation_rows = {};
  std::optional<int64_t> test_rows = {};
  /// Split, order of the batches, and toy samples.
  int64_t seed = 0;
};

template <class Field>
void visit(DataOptions& o, Field&& field) {
  field("name", o.name, non_empty(),
        "A toy density, 'digits', a file (.csv, .tsv, .txt, .npy, each also .gz, or .npz), or "
        "images: "
        "an IDX or CIFAR file, or a folder of images.");
  field("columns", o.columns, "Columns to model, by name or number from 0; empty = all others.");
  field("exclude", o.exclude, "Columns of a file to leave out.");
  field("kinds", o.kinds,
        "Kinds of columns by name: continuous, positive, bounded, integer, count, or a table of "
        "kind, lower, upper, step; others are guessed.");
  field("condition", o.condition, "Columns of numbers to condition on.");
  field("label", o.label,
        "Column of class numbers 0, 1, ... to condition on (one-hot); 'label' of digits, toys and "
        "images.");
  field("weight", o.weight,
        "Column of row weights, or a file (.csv, .tsv, .txt, .npy) of one column of them.");
  field("header", o.header, "Whether a CSV file's first line names the columns.");
  field("delimiter", o.delimiter, "What separates CSV fields; auto = found from the first lines.");
  field("decimal", o.decimal, "What stands before decimals in a CSV file.");
  field("encoding", o.encoding, "What the bytes of a CSV file mean.");
  field("missing", o.missing, "Rows with a missing cell: drop, which counts them, or error.");
  field("missing_marks", o.missing_marks, "Further marks of a missing cell, such as -999.");
  field("levels", o.levels, closed_interval(0, 65536),
        "Values are integers 0 .. levels - 1, dequantized; 0 = continuous.");
  field("bounds", o.bounds, "[low, high] of bounded values, mapped by a logit; empty = none.");
  field("image", o.image, positive(),
        "[height, width] of images that are rows of pixels; empty = none.");
  field("flatten", o.flatten, "Images, and other events of several dimensions, become rows.");
  field("bits", o.bits, closed_interval(1, 8),
        "Images: highest bits of each pixel that are kept, so 2^bits levels; unset: all.");
  field("flip", o.flip, "Images: left and right change places in half of the training images.");
  field("crop_padding", o.crop_padding, non_negative(),
        "Images: pixels by which a training image moves at most; its border is mirrored.");
  field("group", o.group, "Column whose equal values stay in one part of the split.");
  field("time", o.time, "Column by which the last rows are the test.");
  field("validation_fraction", o.validation_fraction, half_open_interval(0, 1),
        "Part of the rows for validation.");
  field("test_fraction", o.test_fraction, half_open_interval(0, 1),
        "Part of the rows for the test.");
  field("validation_rows", o.validation_rows, non_negative(),
        "Rows for validation; unset: the fraction (toys 10,000; digits 144).");
  field("test_rows", o.test_rows, non_negative(),
        "Rows for the test; unset: the fraction (toys 100,000; digits 360).");
  field("seed", o.seed, "Seed of the split, of the order of batches and of toy samples.");
}

/// ConfigError: bounds that are not two numbers in order; levels together with bounds; an image that
/// is not [height, width] or [channels, height, width].
CF_EXPORT void validate(const DataOptions& options);

/// Sizes of the parts that `options` ask for.
CF_EXPORT SplitSizes split_sizes(const DataOptions& options);

/// The stream that everything random about `options` comes from.
CF_EXPORT Rng rng_of(const DataOptions& options);

}  // namespace contraflow::data
