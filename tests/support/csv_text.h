#pragma once

#include <ATen/ATen.h>

#include <string>

#include "contraflow/core/number_text.h"

namespace contraflow::testing {

/// What separates fields and decimals.
struct CsvMarks {
  char field = ',';
  char decimal = '.';
};

/// The rows [N, D] below a header, all digits of every number. An empty header is no line.
inline std::string csv_text(const std::string& header, const at::Tensor& rows,
                            CsvMarks marks = {}) {
  std::string out = header.empty() ? "" : header + "\n";
  for (int64_t r = 0; r < rows.size(0); ++r) {
    for (int64_t c = 0; c < rows.size(1); ++c) {
      std::string cell = shortest(rows[r][c].item<double>());
      if (const size_t point = cell.find('.'); point != std::string::npos) {
        cell[point] = marks.decimal;
      }
      if (c > 0) out += marks.field;
      out += cell;
    }
    out += "\n";
  }
  return out;
}

}  // namespace contraflow::testing
