"""Peers of the benchmarks: the papers' algorithms in eager PyTorch, and normflows' residual flow."""
