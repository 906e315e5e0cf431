#include "contraflow/core/error.h"

namespace contraflow {

std::string error_text(std::string_view where, std::string_view name, std::string_view expected,
                       std::string_view got, std::string_view remedy) {
  std::string text;
  text.append("[").append(where).append("] ").append(name).append(": expected ").append(expected);
  text.append(", got ").append(got).append(". ").append(remedy);
  return text;
}

}  // namespace contraflow
