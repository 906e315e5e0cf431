#pragma once

#include <span>
#include <string_view>

#include "tests/laws/law_case.h"

namespace contraflow::laws {

/// The cases that a law speaks of. A law without a scope speaks of all.
struct LawScope {
  std::string_view law;  ///< Name of the test.
  bool (*covers)(const LawCase&);
  std::string_view reason;  ///< Why a case is left out.
  /// So many cases at least are covered: a law that covers fewer has stopped testing something.
  int at_least;
};

std::span<const LawScope> law_scopes();

/// The scope of a law; null where it speaks of all cases.
const LawScope* find_scope(std::string_view law);

}  // namespace contraflow::laws
