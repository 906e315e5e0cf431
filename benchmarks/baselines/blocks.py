"""Residual and monotone blocks in two dimensions with exact log-determinants, in eager PyTorch.

Shapes: x, w, y: [b, 2]; log-determinants: [b], in nats. J = dG/dw, [b, 2, 2] as two rows.
"""
import math

import torch
from torch import nn

SQRT2 = math.sqrt(2.0)


def jacobian_rows(g, x):
    """Rows of dg/dx, each [b, 2], by one vector-Jacobian product each, differentiable again."""
    return [torch.autograd.grad(g[:, k].sum(), x, create_graph=True)[0] for k in range(2)]


def log_det_identity_plus(rows, sign=1.0):
    """log|det(I + sign J)| in closed form."""
    top, bottom = rows
    a, d = 1.0 + sign * top[:, 0], 1.0 + sign * bottom[:, 1]
    return torch.log(torch.abs(a * d - top[:, 1] * bottom[:, 0]))


class ResidualBlock(nn.Module):
    """y = x + G(x) (Residual Flows; i-DenseNets)."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        if not x.requires_grad:
            x = x.requires_grad_(True)
        g = self.net(x)
        return x + g, log_det_identity_plus(jacobian_rows(g, x))


class ImplicitGradient(torch.autograd.Function):
    """Identity; its backward solves lambda = grad - J^T lambda, so gradients are those of the root.

    Of rows or images; each sample is one row of the solve.
    """

    @staticmethod
    def forward(ctx, value, g, w, tolerance, max_iterations):
        ctx.graph = (g, w, tolerance, max_iterations)
        return value.view_as(value)

    @staticmethod
    def backward(ctx, grad):
        g, w, tolerance, max_iterations = ctx.graph
        start = grad.flatten(1)

        def step(u):
            return start - torch.autograd.grad(g, w, u.view_as(grad), retain_graph=True)[0].flatten(1)

        found = fixed_point(step, start, 1.0, tolerance * float(grad.norm()), max_iterations, whole=True)
        return found.view_as(grad), None, None, None, None


def fixed_point(step, start, factor, tolerance, max_iterations, whole=False):
    """Anderson(1) iteration for w = step(w), row by row, started at `start`.

    Stops when factor |step(w) - w| <= tolerance for every row (`whole`: for the whole tensor), and
    returns step(w). With factor = kappa / (1 - kappa) that is Banach's bound on the error.
    """
    norm = (lambda r: float(r.norm())) if whole else (lambda r: float(r.norm(dim=1).max()))
    w, f = start, step(start)
    r = f - w
    size = norm(r)
    previous = None
    for _ in range(max_iterations):
        if factor * size <= tolerance:
            return f
        if previous is None:
            candidate = f
        else:
            dr, df = r - previous[0], f - previous[1]
            square = (dr * dr).sum(1, keepdim=True).clamp_(min=1e-30)
            gamma = (r * dr).sum(1, keepdim=True).div_(square)
            candidate = torch.addcmul(f, gamma, df, value=-1.0)
        previous = (r, f)
        w, f = candidate, step(candidate)
        r = f - w
        size = norm(r)
    raise ArithmeticError(f'[fixed_point] residual: expected at most {tolerance / factor:.3g} after '
                          f'{max_iterations} steps, got {size:.3g}. Raise max_iterations or tolerance.')


class MonotoneBlock(nn.Module):
    """w + G(w) = sqrt(2) x, y = sqrt(2) w - x (Monotone Flows, a Cayley transform).

    Forward: a solve without autograd to the certified error `tolerance` of y (Lip(G) <= kappa).
    Backward: implicit differentiation, a second solve to the relative error `backward_tolerance`.
    """

    def __init__(self, net, kappa, tolerance=1e-4, backward_tolerance=1e-3, max_iterations=200):
        super().__init__()
        self.net = net
        self.kappa = kappa
        self.tolerance = tolerance
        self.backward_tolerance = backward_tolerance
        self.max_iterations = max_iterations

    def forward(self, x):
        target = SQRT2 * x
        with torch.no_grad():
            fixed = target.detach()
            # The error of y is sqrt(2) times that of w.
            root = fixed_point(lambda w: fixed - self.net(w), fixed,
                               SQRT2 * self.kappa / (1.0 - self.kappa), self.tolerance,
                               self.max_iterations)
        anchor = root.requires_grad_(True)
        g = self.net(anchor)
        # |lambda| error <= residual / (1 - kappa): the relative tolerance holds for the solution.
        w = ImplicitGradient.apply(target - g, g, anchor, self.backward_tolerance * (1.0 - self.kappa),
                                   self.max_iterations)
        if not w.requires_grad:
            w = w.requires_grad_(True)
        rows = jacobian_rows(self.net(w), w)
        log_det = log_det_identity_plus(rows, -1.0) - log_det_identity_plus(rows, 1.0)
        return SQRT2 * w - x, log_det


class Flow(nn.Module):
    """Standardisation by constants, blocks, and a standard normal for the latents."""

    def __init__(self, blocks, dim=2):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.register_buffer('mean', torch.zeros(dim))
        self.register_buffer('scale', torch.ones(dim))

    def prepare(self, iterations=5):
        """Norms and the values that a step computes once."""
        for block in self.blocks:
            block.net.prepare(iterations)

    def log_prob(self, x):
        """[b], nats; differentiable in the parameters."""
        z = (x - self.mean) / self.scale
        total = -self.scale.log().sum() - 0.5 * z.shape[1] * math.log(2.0 * math.pi)
        for block in self.blocks:
            z, log_det = block(z)
            total = total + log_det
        return total - 0.5 * (z * z).sum(1)
