#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace contraflow::detail {

/// Throws std::logic_error with the place and the text of the assertion.
[[noreturn]] inline void assertion_failed(
    const char* text, std::source_location place = std::source_location::current()) {
  throw std::logic_error(std::string(place.file_name()) + ":" + std::to_string(place.line()) +
                         ": assertion failed: " + text +
                         ". This is a bug in contraflow; please report it.");
}

}  // namespace contraflow::detail

/// CF_ASSERT(condition): contraflow's own invariants, which no input can break (what a caller can
/// get wrong throws a typed error instead; see error.h). Checked in Debug builds and with the CMake
/// option CONTRAFLOW_ASSERTS, as CI does; elsewhere the condition is compiled but not evaluated.
#ifdef CF_ENABLE_ASSERTS
#define CF_ASSERT(...) \
  ((__VA_ARGS__) ? static_cast<void>(0) : ::contraflow::detail::assertion_failed(#__VA_ARGS__))
#else
#define CF_ASSERT(...) static_cast<void>(sizeof((__VA_ARGS__) ? 1 : 0))
#endif
