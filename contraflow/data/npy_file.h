#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/data/npy_header.h"

namespace contraflow::data {

class NpyBytes;

/// Values of one column: `rows` of them from row `first` of the call on, `stride` bytes apart.
struct NpyValues {
  size_t column = 0;  ///< Its place in the list that was asked for.
  NpyType type;
  const char* bytes = nullptr;
  int64_t stride = 0;
  int64_t first = 0;
  int64_t rows = 0;
};

/// An open .npy file whose header has been checked against the file's size. The size of a compressed one is
/// found out with its last row.
///
/// Threads    const members may run concurrently, unless the file is compressed.
/// Throws     IoError (cannot be read, not an .npy file, truncated, trailing bytes); DomainError (an
///            integer beyond 2^53).
/// Example    NpyFile file("a.npy");  const at::Tensor x = file.read(0, file.rows());
class CF_EXPORT NpyFile {
 public:
  /// A file FILE.npy or FILE.npy.gz.
  explicit NpyFile(const std::filesystem::path& path);
  /// The array that `bytes` hold; `name` is for messages.
  NpyFile(std::unique_ptr<NpyBytes> bytes, std::string name);
  ~NpyFile();
  NpyFile(NpyFile&&) noexcept;
  NpyFile& operator=(NpyFile&&) = delete;

  const NpyHeader& header() const { return header_; }
  const std::string& name() const { return name_; }
  /// Size of the first axis; 1 for an array without axes.
  int64_t rows() const { return header_.shape.empty() ? 1 : header_.shape[0]; }
  /// Shape after the first axis.
  std::vector<int64_t> event_shape() const;
  /// Rows that a call may read at once without trusting the header: few of a compressed file.
  int64_t most_rows() const;

  /// The smallest type of uint8, int8, int16, int32, float32 and float64 that holds every value of the
  /// array's type; float64 for integers of 64 bits, and for those of 32 without a sign.
  at::ScalarType kept_type() const;

  /// Rows first .. first + count - 1, [count] + event_shape(), contiguous, as `type`: float64 or
  /// kept_type(). With `lenient` an integer beyond 2^53 is NaN.
  at::Tensor read(int64_t first, int64_t count, at::ScalarType type = at::kDouble,
                  bool lenient = false) const;

  /// The same rows of some columns of a table [N], [N, C] or of records, as they lie in the file, in
  /// blocks of about 1 MiB. Other columns are not looked at.
  void visit_columns(int64_t first, int64_t count, const std::vector<int64_t>& columns,
                     const std::function<void(const NpyValues&)>& visit) const;

 private:
  std::string read_header();
  void check_size() const;
  void require(int64_t offset, std::span<char> out) const;
  void check_end(int64_t first, int64_t count) const;
  int64_t bytes_expected() const;
  void read_values(int64_t first_value, int64_t count, at::ScalarType type, bool lenient,
                   void* out) const;
  void visit_rows(int64_t first, int64_t count, const std::vector<int64_t>& columns,
                  const std::function<void(const NpyValues&)>& visit) const;
  void visit_strips(int64_t first, int64_t count, const std::vector<int64_t>& columns,
                    const std::function<void(const NpyValues&)>& visit) const;

  std::unique_ptr<NpyBytes> bytes_;
  std::string name_;
  int64_t data_offset_ = 0;
  int64_t event_values_ = 1;
  NpyHeader header_;
};

}  // namespace contraflow::data
