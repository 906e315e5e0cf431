#pragma once

/// Marks what a program may use of the shared library (CONTRAFLOW_SHARED); everything else stays
/// hidden in it. scripts/check_exports.py finds missing marks.
#if defined(__GNUC__)
#define CF_EXPORT __attribute__((visibility("default")))
#else
#define CF_EXPORT
#endif
