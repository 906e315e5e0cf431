#include <ATen/ATen.h>

#include "contraflow/core/error.h"
#include "contraflow/data/npy.h"

namespace contraflow::data {
namespace {

constexpr size_t kStreamedHeaderBytes = 128;

const char* descr_of(const char* where, at::ScalarType dtype) {
  if (dtype == at::kFloat) return "<f4";
  if (dtype == at::kDouble) return "<f8";
  if (dtype == at::kLong) return "<i8";
  fail<DtypeError>(where, "dtype", "float32, float64 or int64", c10::toString(dtype),
                   "Convert the values with to().");
}

std::string_view bytes_of(const at::Tensor& t) {
  return {static_cast<const char*>(t.const_data_ptr()), t.nbytes()};
}

}  // namespace

NpyWriter::NpyWriter(const std::filesystem::path& path, int64_t columns, at::ScalarType dtype)
    : file_(path), columns_(columns), dtype_(dtype) {
  // The number of rows is not known yet: finish() writes the true header over this one.
  file_.write(make_npy_header(descr_of("write_npy", dtype), {0, columns}, kStreamedHeaderBytes));
}

void NpyWriter::append(const at::Tensor& rows, const TextColumns& texts) {
  if (!texts.empty()) {
    fail<ConfigError>("write_npy", file_.path().string(), "rows of numbers", "columns of text",
                      "Write a .csv file.");
  }
  check_rows("write_npy", rows, columns_);
  file_.write(bytes_of(rows.detach().to(at::kCPU, dtype_).contiguous()));
  rows_ += rows.size(0);
}

void NpyWriter::finish() {
  file_.overwrite_start(
      make_npy_header(descr_of("write_npy", dtype_), {rows_, columns_}, kStreamedHeaderBytes));
  file_.commit();
}

}  // namespace contraflow::data
