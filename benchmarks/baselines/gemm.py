"""The machine's best matrix-product rate, as torch reaches it: the roof of the wide-network case."""
import time

import torch
import torch.nn.functional as F

from benchmarks.baselines import case

SHAPES = ((512, 512, 512), (1024, 512, 512), (2048, 512, 512), (3136, 512, 512), (4096, 512, 512),
          (1024, 1024, 1024), (2048, 2048, 2048))
REPETITIONS = 5


def _rate(work, flops):
    work()
    best = float('inf')
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return flops / best / 1e9


def rates():
    """{path and shape: GFLOP/s}: products, products with a transposed factor, 1x1 convolutions."""
    found = {}
    for m, k, n in SHAPES:
        a, b = torch.randn(m, k), torch.randn(k, n)
        bt, out = torch.randn(n, k), torch.empty(m, n)
        flops = 2.0 * m * k * n
        found[f'mm {m}x{k}x{n}'] = _rate(lambda: torch.mm(a, b, out=out), flops)
        found[f'linear {m}x{k}x{n}'] = _rate(lambda: F.linear(a, bt), flops)
        side = 56 if m == 3136 else 32
        if m % (side * side) == 0:
            image = torch.randn(m // (side * side), k, side, side).to(
                memory_format=torch.channels_last)
            kernel = torch.randn(n, k, 1, 1).to(memory_format=torch.channels_last)
            found[f'conv1x1 {m}x{k}x{n}'] = _rate(lambda: F.conv2d(image, kernel), flops)
    return found


def make(options):
    """One iteration = the whole table; a reply holds the best rate of its iterations, measured in
    the same minute as our side's turn before it."""
    best = {}

    @torch.no_grad()
    def step():
        for path, rate in rates().items():
            if rate > best.get('gflops', 0.0):
                best.update(gflops=rate, path=path)

    def best_of_turn():
        found = dict(best)
        best.clear()
        return found

    return case.Case('gemm_512', step, 0, best_of_turn)
