"""Variance of the residual-flow gradient under the published estimator, on a trained model of ours.

Chen et al. 2019: n ~ geometric(.5) is drawn once per block for the whole batch, two terms are always
computed, term k is weighted by 1 / P(n >= k - 2), and the gradient comes from the Neumann series
(their theorem 2). One probe per row, normal as in the authors' code.
"""

import numpy as np
import torch
from torch import nn

from benchmarks.baselines import blocks, case, checkpoint, layers

HIDDEN = (128, 128, 128)
LIPSCHITZ = 0.9
GEOMETRIC_P = 0.5
EXACT_TERMS = 2
SETTLING_ITERATIONS = 100


def draw_coefficients(generator):
    """Weights of terms 1 .. n + 2 for one draw of n >= 1."""
    n = int(generator.geometric(GEOMETRIC_P))
    return [1.0] * EXACT_TERMS + [(1.0 - GEOMETRIC_P) ** -m for m in range(n)]


def fixed_coefficients(terms):
    return lambda: [1.0] * terms


class UnbiasedBlock(nn.Module):
    """y = x + G(x) and a surrogate whose gradient is an unbiased one of log|det(I + J)|.

    with_value: the surrogate gets the value of the series too (unbiased); the authors' code does not
    compute it, so the benchmark does not either.
    """

    def __init__(self, net, coefficients, with_value=False):
        super().__init__()
        self.net = net
        self.coefficients = coefficients  # () -> weights of the terms
        self.with_value = with_value

    def forward(self, x):
        if not x.requires_grad:
            x = x.requires_grad_(True)
        g = self.net(x)
        probe = torch.randn_like(x)
        product, neumann = probe, probe
        value = torch.zeros(()) if self.with_value else None
        for k, weight in enumerate(self.coefficients(), 1):
            product = torch.autograd.grad(g, x, product, retain_graph=True)[0]
            neumann = torch.add(neumann, product, alpha=(-1) ** k * weight)
            if value is not None:
                value = value + (product * probe).sum(1) * ((-1) ** (k + 1) * weight / k)
        surrogate = (torch.autograd.grad(g, x, neumann, create_graph=True)[0] * probe).sum(1)
        if value is not None:
            surrogate = surrogate + (value - surrogate).detach()
        return x + g, surrogate


def make_flow(path, dim=43, count=10, seed=0):
    generator = np.random.default_rng(seed)
    nets = [layers.sequential_net((dim, *HIDDEN, dim), 'lipswish', LIPSCHITZ) for _ in range(count)]
    flow = blocks.Flow([UnbiasedBlock(net, lambda: draw_coefficients(generator)) for net in nets], dim)
    if path:
        checkpoint.load_flow(flow, path)
    flow.prepare(SETTLING_ITERATIONS)
    return flow


class RunningVariance:
    """Mean and summed variance of vectors (Welford), in float64."""

    def __init__(self):
        self.count, self.mean, self.squares = 0, None, None

    def add(self, vector):
        vector = vector.double()
        if self.mean is None:
            self.mean, self.squares = torch.zeros_like(vector), torch.zeros_like(vector)
        self.count += 1
        delta = vector - self.mean
        self.mean += delta / self.count
        self.squares += delta * (vector - self.mean)

    def total(self):
        return float(self.squares.sum() / (self.count - 1)) if self.count > 1 else None


def flat_gradient(flow):
    return torch.cat([p.grad.reshape(-1) for p in flow.parameters()])


def make(options):
    torch.manual_seed(options.seed)
    flow = make_flow(options.model, options.dim or 43, options.blocks or 10, options.seed)
    x = torch.randn(options.batch, options.dim or 43)
    if options.model:
        tensors, _ = checkpoint.read_safetensors(options.model)
        x = tensors['x'].float() if 'x' in tensors else x
    variance = RunningVariance()

    def step():
        flow.zero_grad(set_to_none=True)
        flow.prepare(0)
        (-flow.log_prob(x).mean()).backward()

    class WithVariance(case.Case):
        """Takes the variance between the timed parts."""

        def run(self, iterations):
            times = []
            for _ in range(iterations):
                times.append(super().run(1)['ms'])
                variance.add(flat_gradient(flow))
            return {'ms': float(np.median(times)), 'variance': variance.total(),
                    'samples': variance.count}

    return WithVariance('gradient_variance_43d', step, case.parameter_count(flow))


def make_series(options):
    """The gradient with a fixed number of terms at any width and depth; its memory is of interest."""
    torch.manual_seed(options.seed)
    dim, width = options.dim or 128, options.width or 512
    coefficients = fixed_coefficients(options.terms or 4)
    nets = [layers.sequential_net((dim, width, width, width, dim), 'lipswish', LIPSCHITZ)
            for _ in range(options.blocks or 1)]
    flow = blocks.Flow([UnbiasedBlock(net, coefficients) for net in nets], dim)
    flow.prepare(SETTLING_ITERATIONS)
    x = torch.randn(options.batch, dim)

    def step():
        flow.zero_grad(set_to_none=True)
        flow.prepare(0)
        (-flow.log_prob(x).mean()).backward()

    return case.Case('series_gradient', step, case.parameter_count(flow))
