"""One residual block of convolutions 4-512-512-4 (3x3, 1x1, 3x3) on 14x14 pixels, unbiased: the gradient
of a training step.

Chen et al. 2019, Residual Flows, in eager PyTorch: an activation before each convolution, spectral norms
by power iteration to a tolerance (of the operator on the grid for 3x3, of the matrix for 1x1), the Neumann
series with one draw of the number of terms for the whole batch, and the memory-efficient gradient: the
log-determinant's is taken during the forward pass, so that no graph of a graph is kept. What depends on
the parameters only (scaled weights, beta) is computed once a step.

Number of terms: power k of the gradient's series is kept with the probability with which our roulette of
two exact terms and geometric(.5) keeps term k + 1, four in the mean. The authors' scripts keep one more.

x: [b, channels, height, width], LibTorch's order of axes unless --channels-last asks for the other, which
the authors' code does not use.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.baselines import case, checkpoint, layers
from benchmarks.baselines.gradient_variance import RunningVariance

CHANNELS, SIDE = 4, 14
HIDDEN = (512, 512)
KERNELS = (3, 1, 3)
LIPSCHITZ = 0.98
BATCH = 16
GEOMETRIC_P = 0.5
EXACT_POWERS = 1      # beside power 0, which is always there
NORM_TOLERANCE = 1e-3
NORM_ITERATIONS = 200


def draw_coefficients(generator):
    """Coefficients of the powers 0 .. n of J in the gradient's series for one draw, signs included."""
    n = int(generator.geometric(GEOMETRIC_P))
    weights = [1.0] * (1 + EXACT_POWERS) + [(1.0 - GEOMETRIC_P) ** -m for m in range(n)]
    return [(-1) ** k * weight for k, weight in enumerate(weights)]


def alternating(powers):
    """Coefficients of a series that ends after the power `powers`."""
    return [(-1.0) ** k for k in range(powers + 1)]


def settled(new, old):
    return float((new - old).norm()) / math.sqrt(new.numel()) < NORM_TOLERANCE * (1.0 + float(new.abs().max()))


class SpectralConv(nn.Module):
    """Convolution whose weight is W / max(1, sigma / cap) on a grid of size x size; cap None: as it is."""

    def __init__(self, inputs, outputs, kernel, size, cap):
        super().__init__()
        self.cap, self.padding = cap, (kernel - 1) // 2
        limit = (inputs * kernel * kernel) ** -0.5
        shape = (outputs, inputs, kernel, kernel)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-limit, limit))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-limit, limit))
        side = size if kernel > 1 else 1
        self.register_buffer('left', F.normalize(torch.randn(1, outputs, side, side).flatten(1)).view(
            1, outputs, side, side))
        self.register_buffer('right', F.normalize(torch.randn(1, inputs, side, side).flatten(1)).view(
            1, inputs, side, side))
        self.effective = None

    @torch.no_grad()
    def update_norm(self):
        """Power iterations from where the last call ended until both vectors settle."""
        for _ in range(NORM_ITERATIONS):
            right = F.conv_transpose2d(self.left, self.weight, padding=self.padding)
            right /= right.norm()
            left = F.conv2d(right, self.weight, padding=self.padding)
            left /= left.norm()
            done = settled(left, self.left) and settled(right, self.right)
            self.left, self.right = left, right
            if done:
                return

    def bind(self):
        if self.cap is None:
            self.effective = self.weight
            return
        sigma = (self.left * F.conv2d(self.right, self.weight, padding=self.padding)).sum()
        self.effective = self.weight / torch.clamp(sigma / self.cap, min=1.0)

    def forward(self, x, weight, bias):
        return F.conv2d(x, weight, bias, padding=self.padding)


def lipswish(x, beta):
    return torch.sigmoid_(x * beta).mul(x).div_(layers.LIPSWISH_CONSTANT)


class ConvNet(nn.Module):
    """Activations and convolutions in turns, as a function of x and of what a step computes once."""

    def __init__(self, channels=CHANNELS, hidden=HIDDEN, kernels=KERNELS, size=SIDE, lipschitz=LIPSCHITZ):
        super().__init__()
        widths = (channels, *hidden, channels)
        caps = [None if lipschitz is None else 1.0] * len(hidden) + [lipschitz]
        self.convs = nn.ModuleList(SpectralConv(widths[k], widths[k + 1], kernels[k], size, caps[k])
                                   for k in range(len(kernels)))
        self.raw_betas = nn.ParameterList(nn.Parameter(torch.tensor(layers.INITIAL_RAW_BETA))
                                          for _ in kernels)

    def prepare(self, norms=True):
        for conv in self.convs:
            if norms and conv.cap is not None:
                conv.update_norm()
            conv.bind()

    def arguments(self):
        """[beta, weight, bias] of each layer in turn, with their graphs."""
        out = []
        for conv, raw in zip(self.convs, self.raw_betas):
            out += [F.softplus(raw), conv.effective, conv.bias]
        return out

    def evaluate(self, x, arguments):
        for k, conv in enumerate(self.convs):
            beta, weight, bias = arguments[3 * k:3 * k + 3]
            x = conv(lipswish(x, beta), weight, bias)
        return x


class MemoryEfficient(torch.autograd.Function):
    """(G(x), surrogate [b]); the surrogate's gradient is taken here and scaled in the backward pass.

    As in the published code, the backward pass takes the weight of the first sample for all.
    """

    @staticmethod
    def forward(ctx, net, coefficients, probe, with_value, x, *arguments):
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            leaves = [a.detach().requires_grad_(True) for a in arguments]
            g = net.evaluate(x, leaves)
            product, neumann = probe, probe * coefficients[0]
            value = x.new_zeros(len(x))
            for k, coefficient in enumerate(coefficients[1:], 1):
                product = torch.autograd.grad(g, x, product, retain_graph=True)[0]
                if coefficient != 0.0:
                    neumann.add_(product, alpha=coefficient)
                if with_value:
                    value += (product * probe).flatten(1).sum(1) * (-coefficient / k)
            last = torch.autograd.grad(g, x, neumann, create_graph=True)[0]
            surrogate = (last * probe).flatten(1).sum(1)
            # The output's bias does not reach the Jacobian.
            ctx.of_log_det = torch.autograd.grad(surrogate.sum(), [x, *leaves], retain_graph=True,
                                                 allow_unused=True)
        ctx.graph = (g, [x, *leaves])
        return g.detach(), (value if with_value else surrogate.detach())

    @staticmethod
    def backward(ctx, grad_g, grad_surrogate):
        g, inputs = ctx.graph
        weight = grad_surrogate[0]
        found = torch.autograd.grad(g, inputs, grad_g)
        out = [a if b is None else torch.add(a, b * weight) for a, b in zip(found, ctx.of_log_det)]
        ctx.graph = None
        return (None, None, None, None, *out)


class UnbiasedConvBlock(nn.Module):
    """y = x + G(x) and a surrogate whose gradient is an unbiased one of log|det(I + J)|."""

    def __init__(self, net, coefficients, with_value=False):
        super().__init__()
        self.net, self.coefficients, self.with_value = net, coefficients, with_value

    def forward(self, x, probe=None):
        probe = torch.randn_like(x) if probe is None else probe
        g, surrogate = MemoryEfficient.apply(self.net, self.coefficients(), probe, self.with_value, x,
                                             *self.net.arguments())
        return x + g, surrogate


class ConvFlow(nn.Module):
    """Blocks and a standard normal for the latents."""

    def __init__(self, blocks):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def prepare(self, norms=True):
        for block in self.blocks:
            block.net.prepare(norms)

    def log_prob(self, x):
        total = -0.5 * math.log(2.0 * math.pi) * x[0].numel()
        for block in self.blocks:
            x, log_det = block(x)
            total = total + log_det
        return total - 0.5 * (x * x).flatten(1).sum(1)


def load_net(net, values):
    """Parameters of ours: layers in turn, of which those without any are grids."""
    names = sorted({int(n.split('.')[1]) for n in values})
    convs, betas = iter(net.convs), iter(net.raw_betas)
    with torch.no_grad():
        for k in names:
            if f'layers.{k}.raw_beta' in values:
                next(betas).copy_(values[f'layers.{k}.raw_beta'])
            else:
                conv = next(convs)
                conv.weight.copy_(values[f'layers.{k}.weight'].view_as(conv.weight))
                conv.bias.copy_(values[f'layers.{k}.bias'])


def make_flow(options, coefficients=None):
    generator = np.random.default_rng(options.seed)
    hidden = (options.width, options.width) if options.width else HIDDEN
    coefficients = coefficients or (lambda: draw_coefficients(generator))
    flow = ConvFlow([UnbiasedConvBlock(ConvNet(hidden=hidden), coefficients)
                     for _ in range(options.blocks or 1)])
    x = torch.randn(options.batch, CHANNELS, SIDE, SIDE)
    if options.model:
        state, _ = checkpoint.flow_state(options.model)
        for block, values in zip(flow.blocks, checkpoint.block_states(state)):
            load_net(block.net, values)
        x = checkpoint.read_safetensors(options.model)[0]['x'].float()
    if options.channels_last:
        flow, x = flow.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    flow.prepare()
    return flow, x


def gradient_step(flow, x):
    flow.zero_grad(set_to_none=True)
    flow.prepare()
    (-flow.log_prob(x).mean()).backward()


def make(options):
    torch.manual_seed(options.seed)
    flow, x = make_flow(options)
    return case.Case('residual_conv', lambda: gradient_step(flow, x), case.parameter_count(flow))


def make_series(options):
    """With a fixed number of terms at any width and depth; its memory is of interest."""
    torch.manual_seed(options.seed)
    powers = (options.terms or 4) - 1
    flow, x = make_flow(options, lambda: alternating(powers))
    return case.Case('series_conv', lambda: gradient_step(flow, x), case.parameter_count(flow))


def make_variance(options):
    torch.manual_seed(options.seed)
    flow, x = make_flow(options)
    variance = RunningVariance()

    class WithVariance(case.Case):
        """Takes the variance between the timed parts."""

        def run(self, iterations):
            times = []
            for _ in range(iterations):
                times.append(super().run(1)['ms'])
                variance.add(torch.cat([p.grad.reshape(-1) for p in flow.parameters()]))
            return {'ms': float(np.median(times)), 'variance': variance.total(),
                    'samples': variance.count}

    return WithVariance('conv_variance', lambda: gradient_step(flow, x), case.parameter_count(flow))
