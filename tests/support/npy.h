#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <string_view>

#include "contraflow/core/file.h"
#include "contraflow/data/npy_file.h"
#include "contraflow/data/npy_header.h"

namespace contraflow::testing {

/// A whole .npy file as float64, in the shape it has; values are not checked for being finite.
inline at::Tensor read_npy(const std::filesystem::path& path) {
  const data::NpyFile file(path);
  return file.read(0, file.rows());
}

/// Writes one tensor of float32, float64, int64, int32 or uint8.
inline void write_npy(const std::filesystem::path& path, const at::Tensor& values) {
  const at::ScalarType type = values.scalar_type();
  const char* descr = type == at::kFloat  ? "<f4"
                      : type == at::kLong ? "<i8"
                      : type == at::kInt  ? "<i4"
                      : type == at::kByte ? "|u1"
                                          : "<f8";
  const at::Tensor plain = values.contiguous();
  AtomicFile file(path);
  file.write(data::make_npy_header(descr, plain.sizes().vec()));
  file.write(std::string_view(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()));
  file.commit();
}

}  // namespace contraflow::testing
