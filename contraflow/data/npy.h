#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/file.h"
#include "contraflow/data/npy_file.h"
#include "contraflow/data/rows.h"

namespace contraflow::data {

/// Rows (first axis) of an array in NumPy's .npy format.
///
/// Shapes     next(): [n] + event_shape(). An array [N] is N rows of one column, [N, C] a table whose
///            columns are named column_0, column_1, ...; others are N events of several dimensions.
/// Types      reads f2 f4 f8, i1 i2 i4 i8, u1 u2 u4 u8 and bool of either byte order, C or Fortran
///            order, format versions 1.0 to 3.0; gives float64, or with keep_type what kept_type()
///            says.
/// Cost       C order: one read per call. Fortran order: one read per column and call.
/// Random     none.
/// Threads    one thread at a time.
/// Throws     see RowReader. Sizes are compared with the file's before anything is allocated.
///            DomainError: not finite, or an integer beyond 2^53, which float64 cannot hold.
/// Source     https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
/// Example    NpyReader reader("events.npy");
class CF_EXPORT NpyReader final : public RowReader {
 public:
  explicit NpyReader(const std::filesystem::path& path, const FileOptions& options = {});

  at::Tensor next(int64_t max_rows) override;
  std::vector<int64_t> event_shape() const override;
  const std::vector<std::string>& columns() const override { return columns_; }
  double fraction_read() const override;

 private:
  NpyFile file_;
  at::ScalarType type_;
  std::vector<std::string> columns_;
  std::vector<int64_t> selected_;  // empty = all
  int64_t rows_read_ = 0;
};

/// Writes an .npy file [rows, columns] of f4, f8 or i8, converting rows to `dtype`.
class CF_EXPORT NpyWriter final : public RowWriter {
 public:
  NpyWriter(const std::filesystem::path& path, int64_t columns, at::ScalarType dtype);

  void append(const at::Tensor& rows) override;
  void finish() override;

 private:
  AtomicFile file_;
  int64_t columns_;
  at::ScalarType dtype_;
  int64_t rows_ = 0;
};

}  // namespace contraflow::data
