"""Monotone blocks of images, unbiased, in eager PyTorch.

Ahn et al. 2022, Monotone Flows: w + G(w) = sqrt(2) x, y = sqrt(2) w - x, solved by Anderson(1) iteration; gradients of
the root by implicit differentiation; log|det dy/dx| = -2 sum over odd k of tr(J^k) / k at w, ten terms exact and
Poisson(2) more, with Gaussian probes and the memory-efficient gradient of residual_conv.py. Solves end at the
certified errors of ours, as in monotone.py.

Networks are functions of x and of what a step computes once: evaluate(x, arguments()), prepare().
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.baselines import blocks, layers
from benchmarks.baselines.residual_conv import MemoryEfficient, SpectralConv, settled

EXACT_TERMS = 10
POISSON_MEAN = 2.0
NORM_ITERATIONS = 200


def poisson_tail(count):
    """P(N >= count) of Poisson(2)."""
    return 1.0 - sum(math.exp(-POISSON_MEAN) * POISSON_MEAN ** k / math.factorial(k) for k in range(count))


def term_weights(generator, exact=EXACT_TERMS):
    """What the terms 1 .. n of a series count for, for one draw."""
    return [1.0] * exact + [1.0 / poisson_tail(m) for m in range(1, int(generator.poisson(POISSON_MEAN)) + 1)]


def odd_coefficients(weights):
    """Coefficients of the powers 0 .. n - 1 of J in the gradient of the series."""
    return [-2.0 * weight if k % 2 == 0 else 0.0 for k, weight in enumerate(weights)]


class SpectralRows(layers.SpectralLinear):
    """SpectralLinear with norms to the tolerance of the convolutions', as a function of its weight and bias."""

    @torch.no_grad()
    def update_norm(self):
        for _ in range(NORM_ITERATIONS):
            left, right = self.left.clone(), self.right.clone()
            super().update_norm(1)
            if settled(self.left, left) and settled(self.right, right):
                return

    def forward(self, x, weight, bias):
        return F.linear(x, weight, bias)


class CPilaNet(nn.Module):
    """Layers with CPila between them, and before the first unless `leading` is false."""

    def __init__(self, widths, lipschitz, kernels=None, size=0, leading=True):
        super().__init__()
        self.leading, self.activation = leading, layers.CPila()
        made = []
        for k in range(len(widths) - 1):
            inputs = widths[k] * (2 if leading or k > 0 else 1)
            cap = lipschitz if k == len(widths) - 2 else 1.0
            made.append(SpectralConv(inputs, widths[k + 1], kernels[k], size, cap) if kernels
                        else SpectralRows(inputs, widths[k + 1], cap))
        self.layers = nn.ModuleList(made)

    def prepare(self, norms=True):
        for layer in self.layers:
            if norms:
                layer.update_norm()
            layer.bind()

    def arguments(self):
        return [a for layer in self.layers for a in (layer.effective, layer.bias)]

    def evaluate(self, x, arguments):
        for k, layer in enumerate(self.layers):
            if self.leading or k > 0:
                x = self.activation(x)
            x = layer(x, *arguments[2 * k:2 * k + 2])
        return x


class UnbiasedMonotoneBlock(nn.Module):
    """y and a surrogate whose gradient is an unbiased one of log|det dy/dx|."""

    def __init__(self, net, kappa, weights, tolerance=1e-4, backward_tolerance=1e-3, max_iterations=200):
        super().__init__()
        self.net, self.kappa, self.weights = net, kappa, weights
        self.tolerance, self.backward_tolerance, self.max_iterations = tolerance, backward_tolerance, max_iterations

    @torch.no_grad()
    def root(self, target, arguments):
        shape, target = target.shape, target.detach().flatten(1)

        def step(w):
            return target - self.net.evaluate(w.view(shape), arguments).flatten(1)

        factor = blocks.SQRT2 * self.kappa / (1.0 - self.kappa)
        return blocks.fixed_point(step, target, factor, self.tolerance, self.max_iterations).view(shape)

    def forward(self, x, probe=None):
        probe = torch.randn_like(x) if probe is None else probe
        arguments = self.net.arguments()
        target = blocks.SQRT2 * x
        anchor = self.root(target, [a.detach() for a in arguments]).requires_grad_(True)
        g = self.net.evaluate(anchor, arguments)
        w = blocks.ImplicitGradient.apply(target - g, g, anchor, self.backward_tolerance * (1.0 - self.kappa),
                                          self.max_iterations)
        coefficients = odd_coefficients(self.weights())
        _, surrogate = MemoryEfficient.apply(self.net, coefficients, probe, False, w, *arguments)
        return blocks.SQRT2 * w - x, surrogate

    def measure(self, x, weights, probe=None):
        """y and an unbiased log-determinant, without a gradient; `weights` of the terms 1, 2, ..."""
        arguments = [a.detach() for a in self.net.arguments()]
        w = self.root(blocks.SQRT2 * x, arguments).requires_grad_(True)
        with torch.enable_grad():
            g = self.net.evaluate(w, arguments)
        probe = torch.randn_like(x) if probe is None else probe
        product, value = probe, x.new_zeros(len(x))
        for k, weight in enumerate(weights, 1):
            product = torch.autograd.grad(g, w, product, retain_graph=True)[0]
            if k % 2 == 1:
                value += (product * probe).flatten(1).sum(1) * (-2.0 * weight / k)
        return blocks.SQRT2 * w.detach() - x, value
