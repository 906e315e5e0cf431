#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "contraflow/core/export.h"

namespace contraflow {

/// Shape of one event, without the batch axis: [D] for a row of numbers, [C, H, W] for an image.
/// The first axis counts features (columns, channels), the others the places where they are
/// measured (pixels). Empty means that there is none, for example no condition.
///
/// Options    a field of this type reads and writes a number, `event = 2`, or a list,
///            `event = [3, 32, 32]`. 0 and [] are the empty shape.
/// Throws     ConfigError for a size below 1 or more than 2^40 numbers in all.
/// Example    EventShape image{3, 32, 32};   image.size();  // 3072 numbers in one event
class CF_EXPORT EventShape {
 public:
  EventShape() = default;
  /// A row of that many numbers; 0 gives the empty shape.
  EventShape(int64_t features);            // NOLINT(google-explicit-constructor): `.event = 2`
  EventShape(std::vector<int64_t> sizes);  // NOLINT(google-explicit-constructor)
  EventShape(std::initializer_list<int64_t> sizes) : EventShape(std::vector<int64_t>(sizes)) {}

  const std::vector<int64_t>& sizes() const { return sizes_; }
  bool empty() const { return sizes_.empty(); }
  /// One axis: a row of numbers.
  bool is_row() const { return sizes_.size() == 1; }
  /// Numbers in one event; 0 when empty.
  int64_t size() const;
  /// Columns of a row, channels of an image; 0 when empty.
  int64_t features() const { return empty() ? 0 : sizes_.front(); }
  /// size() / features(): places that share a feature's parameters; 1 for a row.
  int64_t pixels() const { return empty() ? 0 : size() / features(); }
  /// "2" or "[3, 32, 32]"; "none" when empty.
  std::string text() const;

  bool operator==(const EventShape& other) const = default;

 private:
  std::vector<int64_t> sizes_;
};

}  // namespace contraflow
