#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/core/file.h"
#include "contraflow/data/npy_file.h"
#include "contraflow/data/rows.h"

namespace contraflow::data {

struct NamedArray;
class NpyCells;

/// Rows (first axis) of arrays in NumPy's formats: FILE.npy, FILE.npy.gz, FILE.npz, FILE.npz:NAME.
///
/// Shapes     next(): [n] + event_shape(). An array [N] is N rows of one column, [N, C] a table whose
///            columns are named column_0, column_1, ...; others are N events of several dimensions. The
///            fields of a structured array [N] are columns, and so are several arrays of an archive:
///            NAME for [N] and [N, 1], else NAME_0, NAME_1, ...
/// Types      reads f2 f4 f8, i1 i2 i4 i8, u1 u2 u4 u8 and bool of either byte order, C or Fortran
///            order, format versions 1.0 to 3.0; gives float64, or with keep_type what kept_type()
///            says. Fields of other types are left out, which notes() say; errors where selected.
/// Cost       C order: one read per call. Fortran order: one read per column and call; a compressed array
///            is first decompressed into a temporary file.
/// Random     none.
/// Threads    one thread at a time.
/// Throws     see RowReader. Sizes are compared with the file's before anything is allocated; a call
///            gives fewer rows where that cannot be done, in a compressed file.
///            DomainError: not finite, or an integer beyond 2^53, which float64 cannot hold.
/// Source     https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
/// Example    NpyReader reader("events.npy");
class CF_EXPORT NpyReader final : public RowReader {
 public:
  explicit NpyReader(const std::filesystem::path& path, const FileOptions& options = {});
  ~NpyReader() override;

  at::Tensor next(int64_t max_rows) override;
  std::vector<int64_t> event_shape() const override;
  const std::vector<std::string>& columns() const override { return columns_; }
  double fraction_read() const override;
  FileFormat format() const override;
  const std::vector<std::string>& notes() const override { return notes_; }
  const std::vector<BadRow>& bad_rows() const override { return bad_rows_; }
  /// Whether a column holds integers, of which those beyond 2^53 have no value here.
  bool integers(size_t column) const { return types_[column].kind != 'f'; }
  const std::vector<std::vector<std::string>>& kept() const override { return kept_; }
  /// Numbers of columns() among all columns of the file, with those that are left out.
  const std::vector<int64_t>& numbers() const { return numbers_; }

 private:
  // A column of the file.
  struct Column {
    size_t array = 0;
    int64_t index = 0;            // in its array
    std::optional<NpyType> type;  // unset: not a number, but `descr`
    std::string descr;
  };
  // What is read of one array, in one pass over its rows.
  struct Pass {
    std::vector<int64_t> columns;
    std::vector<int64_t> slots;  // of the tensor, -1 = none
    std::vector<int64_t> kept;   // of kept_, -1 = none
  };

  void check_shapes(const FileOptions& options);
  void list_columns();
  void add_columns(size_t array);
  void select(const FileOptions& options);
  void plan(const std::vector<int64_t>& selected, const std::vector<int64_t>& keep);
  std::vector<int64_t> find(const std::vector<std::string>& wanted) const;
  int64_t rows() const;
  at::Tensor read_columns(int64_t count);
  void settle(at::Tensor& rows);
  template <class T>
  void settle_cells(T* values, int64_t rows, int64_t width);
  std::string place(int64_t row, int64_t column) const;

  std::vector<NamedArray> arrays_;
  std::string name_;
  FileFormat format_;
  std::vector<Column> all_;
  std::vector<std::string> names_;    // of all_
  std::vector<std::string> columns_;  // that are selected
  std::vector<int64_t> numbers_;      // of these
  std::vector<NpyType> types_;        // of these; of an array of events the one that it has
  std::vector<Pass> passes_;          // one for each array; empty: the only array is read as it is
  std::unique_ptr<NpyCells> cells_;
  BadCells bad_cells_ = BadCells::kRefuse;
  at::ScalarType type_ = at::kDouble;
  int64_t rows_read_ = 0;
  std::vector<std::string> notes_;
  std::vector<BadRow> bad_rows_;
  std::vector<std::vector<std::string>> kept_;
};

/// Writes an .npy file [rows, columns] of f4, f8 or i8, converting rows to `dtype`.
class CF_EXPORT NpyWriter final : public RowWriter {
 public:
  NpyWriter(const std::filesystem::path& path, int64_t columns, at::ScalarType dtype);

  using RowWriter::append;
  void append(const at::Tensor& rows, const TextColumns& texts) override;
  void finish() override;

 private:
  AtomicFile file_;
  int64_t columns_;
  at::ScalarType dtype_;
  int64_t rows_ = 0;
};

}  // namespace contraflow::data
