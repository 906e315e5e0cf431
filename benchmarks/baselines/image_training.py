"""A small flow of images in eager PyTorch, trained for some minutes: what the same architecture reaches with the
papers' algorithms in the time that ours has.

    python -m benchmarks.baselines.image_training --data data/mnist --minutes 30

Pixels with uniform noise, logit, a squeeze, ActNorm, blocks of convolutions each with an ActNorm, a squeeze after each
scale but the last, fully connected blocks; the architecture of our preset image_small_monotone, or with --family
residual of image_small. Adam of beta (.9, .99), gradients clipped to norm 1, averaged parameters, which are evaluated:
the settings of our table's rows, so that the minutes are all that differs. Those of Chen et al. 2019 and Ahn et al. 2022
are for days, --learning-rate 1e-3 --warm-up 1000 --average 0.999 --constant: half an hour ends in their warm-up.

One JSON line: steps, seconds, bits per dimension of the test images with the standard error of their mean.
"""
import argparse
import gzip
import json
import math
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.baselines import monotone_conv, residual_conv

LEVELS = 256
VARIANCE_FLOOR = 0.2
BETAS, CLIP = (0.9, 0.99), 1.0
EVALUATION_TERMS = 20


def read_idx(path):
    """The bytes of an IDX file of images, plain or compressed: [images, height, width]."""
    opener = gzip.open if path.suffix == '.gz' else open
    with opener(path, 'rb') as file:
        header = np.frombuffer(file.read(16), '>u4')
        return np.frombuffer(file.read(), np.uint8).reshape(header[1:4].tolist()).copy()  # writable


def find_images(folder, start):
    return next(path for path in sorted(folder.iterdir()) if path.name.startswith(start) and 'images' in path.name)


class ActNorm(nn.Module):
    """(x + shift) exp(log_scale) of each channel, started from the first batch."""

    def __init__(self, channels):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.started = False

    def start(self, x):
        others = [k for k in range(x.dim()) if k != 1]
        with torch.no_grad():
            self.shift.copy_(-x.mean(others))
            self.log_scale.copy_(-0.5 * x.var(others).clamp(min=VARIANCE_FLOOR).log())
        self.started = True

    def forward(self, x):
        if not self.started:
            self.start(x)
        shape = (1, -1) + (1,) * (x.dim() - 2)
        y = (x + self.shift.view(shape)) * self.log_scale.exp().view(shape)
        return y, self.log_scale.sum() * x[0, 0].numel()


class FirstNet(residual_conv.ConvNet):
    """Without the activation before the first convolution."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.raw_betas = self.raw_betas[1:]

    def arguments(self):
        out = [self.convs[0].effective, self.convs[0].bias]
        for conv, raw in zip(list(self.convs)[1:], self.raw_betas):
            out += [F.softplus(raw), conv.effective, conv.bias]
        return out

    def evaluate(self, x, arguments):
        x = self.convs[0](x, *arguments[:2])
        for k, conv in enumerate(list(self.convs)[1:]):
            beta, weight, bias = arguments[2 + 3 * k:5 + 3 * k]
            x = conv(residual_conv.lipswish(x, beta), weight, bias)
        return x


class ResidualBlock(residual_conv.UnbiasedConvBlock):
    def __init__(self, net, generator):
        super().__init__(net, lambda: residual_conv.draw_coefficients(generator))
        self.generator = generator

    def measure(self, x):
        """y and an unbiased log-determinant, without a gradient."""
        weights = [1.0] * EVALUATION_TERMS + [abs(c) for c in residual_conv.draw_coefficients(self.generator)[2:]]
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            g = self.net.evaluate(x, [a.detach() for a in self.net.arguments()])
        probe = torch.randn_like(x)
        product, value = probe, x.new_zeros(len(x))
        for k, weight in enumerate(weights, 1):
            product = torch.autograd.grad(g, x, product, retain_graph=True)[0]
            value += (product * probe).flatten(1).sum(1) * ((-1) ** (k + 1) * weight / k)
        return (x + g).detach(), value


class MonotoneBlock(monotone_conv.UnbiasedMonotoneBlock):
    def __init__(self, net, kappa, generator):
        super().__init__(net, kappa, lambda: monotone_conv.term_weights(generator))
        self.generator = generator

    def measure(self, x):
        return super().measure(x, monotone_conv.term_weights(self.generator, EVALUATION_TERMS))


class Architecture:
    """The networks and blocks of a family."""

    def __init__(self, args, generator):
        self.args, self.generator = args, generator
        self.is_first = True

    def block(self, channels, side):
        widths = (channels, *[self.args.width] * 2, channels)
        leading, self.is_first = not self.is_first, False
        if self.args.family == 'residual':
            net = (residual_conv.ConvNet if leading else FirstNet)(
                channels, widths[1:-1], residual_conv.KERNELS, side, self.args.lipschitz)
            return ResidualBlock(net, self.generator)
        net = monotone_conv.CPilaNet(widths, self.args.lipschitz, residual_conv.KERNELS, side, leading)
        return MonotoneBlock(net, self.args.lipschitz, self.generator)

    def rows_block(self, numbers):
        net = monotone_conv.CPilaNet((numbers, *self.args.fc_width, numbers), self.args.fc_lipschitz)
        return MonotoneBlock(net, self.args.fc_lipschitz, self.generator)


class ImageFlow(nn.Module):
    def __init__(self, shape, args, generator):
        super().__init__()
        self.alpha = args.alpha
        make = Architecture(args, generator)
        self.squeeze_first = args.squeeze_first
        channels, side = (4 * shape[0], shape[1] // 2) if args.squeeze_first else (shape[0], shape[1])
        self.first = ActNorm(channels)
        self.scales = nn.ModuleList()
        for count in args.blocks:
            self.scales.append(nn.ModuleList(
                nn.ModuleList([make.block(channels, side), ActNorm(channels)]) for _ in range(count)))
            channels, side = 4 * channels, side // 2
        numbers = shape[0] * shape[1] * shape[2]
        self.rows = nn.ModuleList(nn.ModuleList([make.rows_block(numbers), ActNorm(numbers)])
                                  for _ in range(args.fc_blocks))

    def pairs(self):
        return [pair for scale in [*self.scales, self.rows] for pair in scale]

    def prepare(self, norms=True):
        for block, _ in self.pairs():
            block.net.prepare(norms)

    def log_prob(self, x, training=True):
        """log-density of [b, c, h, w] in [0, 1): an unbiased estimate; training: with its gradient alone."""
        s = self.alpha + (1.0 - 2.0 * self.alpha) * x
        total = (math.log(1.0 - 2.0 * self.alpha) - s.log() - (-s).log1p()).flatten(1).sum(1)
        h = torch.logit(s)
        h, log_det = self.first(F.pixel_unshuffle(h, 2) if self.squeeze_first else h)
        total = total + log_det
        for k, scale in enumerate(self.scales):
            if k > 0:
                h = F.pixel_unshuffle(h, 2)
            h, total = self.pass_through(scale, h, total, training)
        h = h.flatten(1)
        if len(self.rows) > 0:
            h, total = self.pass_through(self.rows, h, total, training)
        return total - 0.5 * (h * h).sum(1) - 0.5 * math.log(2.0 * math.pi) * h.shape[1]

    def pass_through(self, pairs, h, total, training):
        for block, norm in pairs:
            h, of_block = block(h) if training else block.measure(h)
            h, of_norm = norm(h)
            total = total + of_block + of_norm
        return h, total


def with_noise(pixels, device):
    pixels = torch.from_numpy(pixels).to(device).float().unsqueeze(1)
    return (pixels + torch.rand_like(pixels)) / LEVELS


def bits(log_prob, numbers):
    return (math.log(LEVELS) - log_prob / numbers) / math.log(2.0)


def rate_at(args, steps, begin):
    """The learning rate: warm-up by steps, then constant or half a cosine over the minutes."""
    rate = args.learning_rate * min(1.0, (steps + 1) / max(1, args.warm_up))
    if args.constant:
        return rate
    return rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, (time.monotonic() - begin) / (60.0 * args.minutes))))


def train(flow, images, args, generator):
    """Averaged parameters and the number of steps."""
    optimizer = torch.optim.Adam(flow.parameters(), args.learning_rate, BETAS)
    average, steps, begin = None, 0, time.monotonic()
    end = begin + 60.0 * args.minutes
    while time.monotonic() < end and steps != args.steps:
        for group in optimizer.param_groups:
            group['lr'] = rate_at(args, steps, begin)
        x = with_noise(images[generator.integers(len(images), size=args.batch)], args.device)
        optimizer.zero_grad(set_to_none=True)
        flow.prepare()
        (-flow.log_prob(x).mean() / x[0].numel()).backward()
        nn.utils.clip_grad_norm_(flow.parameters(), CLIP)
        optimizer.step()
        with torch.no_grad():
            if average is None:
                average = [p.detach().clone() for p in flow.parameters()]
            for a, p in zip(average, flow.parameters()):
                a.lerp_(p, 1.0 - args.average)
        steps += 1
    return average, steps


def evaluate(flow, images, args):
    values = []
    for begin in range(0, len(images), args.batch):
        x = with_noise(images[begin:begin + args.batch], args.device)
        with torch.no_grad():
            values.append(bits(flow.log_prob(x, training=False), x[0].numel()))
    return torch.cat(values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--data', type=pathlib.Path, required=True, help='folder of MNIST\'s files')
    parser.add_argument('--minutes', type=float, default=30.0)
    parser.add_argument('--steps', type=int, default=-1, help='at most so many; without it only the time counts')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--no-squeeze-first', dest='squeeze_first', action='store_false')
    parser.add_argument('--family', choices=['residual', 'monotone'], default='monotone')
    parser.add_argument('--blocks', type=int, nargs='+', default=[2, 2], help='of each scale')
    parser.add_argument('--width', type=int, default=24, help='of the convolutional networks; CPila doubles it')
    parser.add_argument('--lipschitz', type=float, default=0.94)
    parser.add_argument('--fc-blocks', type=int, default=3, help='monotone blocks that see all numbers')
    parser.add_argument('--fc-width', type=int, nargs='+', default=[256, 256])
    parser.add_argument('--fc-lipschitz', type=float, default=0.95)
    parser.add_argument('--batch', type=int, default=64)
    parser.add_argument('--learning-rate', type=float, default=6e-3)
    parser.add_argument('--warm-up', type=int, default=100, help='steps')
    parser.add_argument('--constant', action='store_true', help='the rate, after the warm-up; else half a cosine')
    parser.add_argument('--average', type=float, default=0.99, help='of the averaged parameters')
    parser.add_argument('--alpha', type=float, default=1e-6)
    parser.add_argument('--images', type=int, default=10_000, help='test images that are measured')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    images = read_idx(find_images(args.data, 'train'))
    generator = np.random.default_rng(args.seed)
    flow = ImageFlow((1, *images.shape[1:]), args, generator).to(args.device)
    begin = time.monotonic()  # the first step starts ActNorms and settles the norms
    average, steps = train(flow, images, args, generator)
    seconds = time.monotonic() - begin
    with torch.no_grad():
        for p, a in zip(flow.parameters(), average):
            p.copy_(a)
    flow.prepare()
    values = evaluate(flow, read_idx(find_images(args.data, 't10k'))[:args.images], args)
    print(json.dumps({'steps': steps, 'seconds': round(seconds, 1), 'parameters': sum(p.numel() for p in flow.parameters()),
                      'images': len(values), 'bits_per_dim': float(values.mean()),
                      'standard_error': float(values.std() / len(values) ** 0.5)}))


if __name__ == '__main__':
    main()
