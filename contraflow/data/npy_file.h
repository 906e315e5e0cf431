#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/file.h"
#include "contraflow/data/npy_header.h"

namespace contraflow::data {

/// An open .npy file whose header has been checked against the file's size.
///
/// Threads    const members may run concurrently.
/// Throws     IoError (cannot be read, not an .npy file, truncated, trailing bytes); DomainError (an
///            integer beyond 2^53).
/// Example    NpyFile file("a.npy");  const at::Tensor x = file.read(0, file.rows());
class CF_EXPORT NpyFile {
 public:
  explicit NpyFile(const std::filesystem::path& path);

  const NpyHeader& header() const { return header_; }
  const std::string& name() const { return name_; }
  /// Size of the first axis; 1 for an array without axes.
  int64_t rows() const { return header_.shape.empty() ? 1 : header_.shape[0]; }
  /// Shape after the first axis.
  std::vector<int64_t> event_shape() const;

  /// The smallest type of uint8, int8, int16, int32, float32 and float64 that holds every value of the
  /// array's type; float64 for integers of 64 bits, and for those of 32 without a sign.
  at::ScalarType kept_type() const;

  /// Rows first .. first + count - 1, [count] + event_shape(), contiguous, as `type`: float64 or
  /// kept_type().
  at::Tensor read(int64_t first, int64_t count, at::ScalarType type = at::kDouble) const;

 private:
  std::string read_header();
  void check_size() const;
  void read_values(int64_t first_value, int64_t count, at::ScalarType type, void* out) const;

  InputFile file_;
  std::string name_;
  int64_t data_offset_ = 0;
  int64_t event_values_ = 1;
  NpyHeader header_;
};

}  // namespace contraflow::data
