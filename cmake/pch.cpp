// Carries the precompiled header; see ContraflowTargets.cmake.
