"""Writes histograms.json: counts of the toy densities on a grid, from NumPy and its generator.

An independent second implementation of the definitions in the FFJORD and Monotone Flows experiments.
Run once, by hand: python3 make_histograms.py
"""
import json
import pathlib

import numpy as np

ROWS, CHUNK, CELLS, EDGE = 8_000_000, 500_000, 16, 4.5


def polar(radius, angle):
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def sample(name, n, rng):
    u = rng.random(n)
    noise = rng.standard_normal((n, 2))
    if name == "swissroll":
        t = 1.5 * np.pi * (1 + 2 * u)
        return (polar(t, t) + noise) / 5
    if name == "circles":
        return (polar(rng.choice([1.0, 0.5], n), 2 * np.pi * u) + 0.08 * noise) * 3
    if name == "rings":
        return polar(rng.integers(1, 5, n) / 4, 2 * np.pi * u) * 3 + 0.08 * noise
    if name == "moons":
        outer, inner = polar(1, np.pi * u), np.array([1, 0.5]) - polar(1, np.pi * u)
        x = np.where(rng.integers(0, 2, (n, 1)) == 0, outer, inner)
        return (x + 0.1 * noise) * 2 + np.array([-1, -0.2])
    if name == "8gaussians":
        return (polar(4, rng.integers(0, 8, n) * np.pi / 4) + 0.5 * noise) / 1.414
    if name == "pinwheel":
        f = np.array([1, 0]) + noise * np.array([0.3, 0.1])
        angle = rng.integers(0, 5, n) * 2 * np.pi / 5 + 0.25 * np.exp(f[:, 0])
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return 2 * np.einsum("ti,ijt->tj", f, rotation)
    if name == "2spirals":
        t = np.sqrt(u) * 3 * np.pi
        d = np.stack([-np.cos(t) * t, np.sin(t) * t], 1) + rng.random((n, 2)) / 2
        return rng.choice([-1, 1], (n, 1)) * d / 3 + 0.1 * noise
    if name == "checkerboard":
        x = 4 * u - 2
        y = rng.random(n) - 2 * rng.integers(0, 2, n) + np.floor(x) % 2
        return 2 * np.stack([x, y], 1)
    raise ValueError(name)


def histogram(name, rng):
    edges = np.linspace(-EDGE, EDGE, CELLS + 1)
    total = np.zeros((CELLS, CELLS), np.int64)
    for _ in range(ROWS // CHUNK):
        x = sample(name, CHUNK, rng)
        total += np.histogram2d(x[:, 0], x[:, 1], bins=[edges, edges])[0].astype(np.int64)
    return total.ravel().tolist()


if __name__ == "__main__":
    rng = np.random.default_rng(20240607)
    names = ["swissroll", "circles", "rings", "moons", "8gaussians", "pinwheel", "2spirals",
             "checkerboard"]
    out = {"rows": ROWS, "cells": CELLS, "edge": EDGE,
           "counts": {name: histogram(name, rng) for name in names}}
    path = pathlib.Path(__file__).parent / "histograms.json"
    path.write_text(json.dumps(out) + "\n")
