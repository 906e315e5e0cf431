#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace contraflow::data::images {

/// A class for each image, from 0 on.
struct ImageLabels {
  std::string name;    ///< What data.label says.
  at::Tensor classes;  ///< int64 [N].
};

/// Images of one size, as their files have them.
struct ImageSet {
  at::Tensor pixels;  ///< uint8 [N, C, H, W].
  std::vector<ImageLabels> labels = {};
  std::vector<std::string> files =
      {};  ///< Name of each image's file, from the folder on; empty = none.
};

/// What a file or a folder of images holds.
struct ImageData {
  ImageSet train;
  /// The part that its publishers set aside for the test, if there is one.
  std::optional<ImageSet> test = std::nullopt;
  int64_t levels = 256;                 ///< Pixels are integers 0 .. levels - 1.
  std::vector<std::string> words = {};  ///< words[k] is class k of "label"; empty = numbers.
  std::vector<std::string> notes = {};  ///< What was found out or left out, a line each.
};

/// Name of the labels that every layout with labels has.
inline constexpr const char* kLabelName = "label";

}  // namespace contraflow::data::images
