"""Paired timings: ours and a peer take turns in one run."""
