#pragma once

#include <span>
#include <string>
#include <string_view>

#include "contraflow/core/export.h"

namespace contraflow {

/// What a message says where a word is none of some names.
struct UnknownName {
  std::string expected;  ///< "one of a, b, c"; of more than a dozen names "one of 39 names".
  std::string remedy;    ///< "Did you mean 'b'?", and how to see names that were left out.
};

/// `list`: the command that shows the names, for example "contraflow list models".
CF_EXPORT UnknownName unknown_name(std::string_view word, std::span<const std::string> names,
                                   std::string_view list);

}  // namespace contraflow
