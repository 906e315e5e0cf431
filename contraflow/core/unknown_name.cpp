#include "contraflow/core/unknown_name.h"

#include "contraflow/core/text.h"

namespace contraflow {

UnknownName unknown_name(std::string_view word, std::span<const std::string> names,
                         std::string_view list) {
  constexpr size_t kMostNames = 12;
  const bool listed = names.size() <= kMostNames;
  const auto near = nearest_match(word, names);
  UnknownName out;
  out.expected = "one of " + (listed ? join(names, ", ") : std::to_string(names.size()) + " names");
  if (near) out.remedy = "Did you mean '" + *near + "'?";
  if (near && listed) return out;
  if (near) out.remedy += ' ';
  out.remedy += "'" + std::string(list) + "' shows them all.";
  return out;
}

}  // namespace contraflow
