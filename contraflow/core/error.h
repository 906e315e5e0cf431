#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "contraflow/core/export.h"

namespace contraflow {

/// Who can mend an error: the command line and bindings map it to their own codes and types.
enum class ErrorCategory {
  kUsage,    ///< The caller, by another call.
  kFailure,  ///< Something went wrong on the way: a file, an iteration, numbers.
};

/// Base of everything contraflow throws on purpose.
/// Text has one form: `[where] name: expected X, got Y. Remedy.`
class CF_EXPORT Error : public std::runtime_error {
 public:
  explicit Error(const std::string& text) : std::runtime_error(text) {}
  virtual ErrorCategory category() const noexcept { return ErrorCategory::kFailure; }
};

/// Misuse: the caller passed something that the call does not accept.
class CF_EXPORT UsageError : public Error {
 public:
  using Error::Error;
  ErrorCategory category() const noexcept override { return ErrorCategory::kUsage; }
};

/// A tensor of the wrong shape.
class CF_EXPORT ShapeError final : public UsageError {
  using UsageError::UsageError;
};
/// A tensor of the wrong dtype or on the wrong device.
class CF_EXPORT DtypeError final : public UsageError {
  using UsageError::UsageError;
};
/// A value outside the domain: NaN, infinity, out of bounds, a constant column.
class CF_EXPORT DomainError final : public UsageError {
  using UsageError::UsageError;
};
/// An unknown key, a bad value, or options that contradict each other.
class CF_EXPORT ConfigError final : public UsageError {
  using UsageError::UsageError;
};
/// An iteration that did not reach the tolerance asked for.
class CF_EXPORT ConvergenceError final : public Error {
  using Error::Error;
};
/// A file that cannot be read or written, or is malformed.
class CF_EXPORT IoError final : public Error {
  using Error::Error;
};
/// A loss or gradient that is not finite.
class CF_EXPORT NumericsError final : public Error {
  using Error::Error;
};
/// The inverse (or another operation) that this object does not have.
class CF_EXPORT InverseUnavailable final : public Error {
  using Error::Error;
};

/// `[where] name: expected X, got Y. Remedy.`
CF_EXPORT std::string error_text(std::string_view where, std::string_view name,
                                 std::string_view expected, std::string_view got,
                                 std::string_view remedy);

/// Throws `E` with the text of error_text().
template <class E>
[[noreturn]] void fail(std::string_view where, std::string_view name, std::string_view expected,
                       std::string_view got, std::string_view remedy) {
  throw E(error_text(where, name, expected, got, remedy));
}

}  // namespace contraflow
