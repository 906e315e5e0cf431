#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "contraflow/core/text.h"

namespace contraflow::data {

/// What a file or a user wrote, for a message: on one line, in quotes, cut to `limit` characters.
inline std::string in_quotes(std::string_view text, int64_t limit = 60) {
  std::string out(1, '\'');
  out += shorten(text, limit);
  out += '\'';
  return out;
}

/// "Did you mean 'x'?", or `otherwise` when nothing is near.
inline std::string did_you_mean(const std::optional<std::string>& near,
                                std::string_view otherwise) {
  return near ? "Did you mean " + in_quotes(*near, 200) + "?" : std::string(otherwise);
}

}  // namespace contraflow::data
