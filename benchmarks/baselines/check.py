"""Checks of the peers in float64; a peer that is wrong is no baseline.

    python -m benchmarks.baselines.check [NAME ...]      exit code 1 if one fails

golden         value, log-determinant and gradients of tests/golden/blocks, residual and monotone blocks
log_det        whole flows against slogdet of the Jacobian by autograd
differences    gradients of whole flows against central differences
norms          power iteration against the SVD
convolutions   the golden residual and monotone blocks of convolutions: value, series, gradients; norms on the grid
unbiased       mean of the stochastic log-determinant and of its gradient against exact ones
normflows      our weights in normflows: the same function; its inverse at the true error asked for
"""
import argparse
import glob
import json
import math
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.baselines import (blocks, gradient_variance, idensenet, layers, monotone, monotone_conv, residual_block,
                                  residual_conv)

GOLDEN = pathlib.Path(__file__).parents[2] / 'tests' / 'golden' / 'blocks'
EXACT = 1e-10          # float64 against float64 by another route
SOLVED = 1e-8          # after a solve to 1e-13
DIFFERENCES = 1e-6     # central differences, step 1e-5
PROBES = 200
Z_LIMIT = 4.5          # a false alarm in 150,000 normal draws


def require(name, error, limit):
    if not error <= limit:
        raise AssertionError(f'{name}: expected an error of at most {limit:.1e}, got {error:.3e}')


def worst(a, b):
    return float((a - b).detach().abs().max())


def to_double(flow):
    """Converts, then binds again: what is bound does not follow a conversion."""
    flow.double().prepare(100)
    return flow


def golden_net(case):
    net = layers.sequential_net(case['dims'], case['activation'], None).double()
    values = {k: torch.tensor(v, dtype=torch.float64) for k, v in case['parameters'].items()}
    index = 0
    for layer in net.layers:
        if isinstance(layer, layers.SpectralLinear):
            layer.weight.data.copy_(values[f'{index}.weight'])
            layer.bias.data.copy_(values[f'{index}.bias'])
            index += 1
        elif f'{index}.beta' in values:
            layer.raw_beta.data.copy_(torch.log(torch.expm1(values[f'{index}.beta'])).squeeze())
    net.prepare(0)
    return net


def compare_gradients(path, net, gradients, tolerance):
    index = 0
    for layer in net.layers:
        if isinstance(layer, layers.SpectralLinear):
            for kind in ('weight', 'bias'):
                expected = torch.tensor(gradients[f'{index}.{kind}'], dtype=torch.float64)
                require(f'{path} {index}.{kind}', worst(getattr(layer, kind).grad, expected), tolerance)
            index += 1
        elif f'{index}.beta' in gradients:  # d/d beta = d/d raw / sigmoid(raw)
            got = layer.raw_beta.grad / torch.sigmoid(layer.raw_beta.detach())
            require(f'{path} {index}.beta',
                    abs(float(got) - float(np.ravel(gradients[f'{index}.beta'])[0])), tolerance)


def check_golden():
    count = 0
    for path in sorted(glob.glob(str(GOLDEN / 'block_*_mlp_2x*.json'))):
        case = json.loads(pathlib.Path(path).read_text())
        if case['form'] not in ('residual', 'monotone') or case['activation'] not in layers.ACTIVATIONS:
            continue
        net = golden_net(case)
        if case['form'] == 'residual':
            block, tolerance = blocks.ResidualBlock(net), EXACT
        else:
            block, tolerance = blocks.MonotoneBlock(net, 0.5, 1e-13, 1e-13), SOLVED
        array = {k: torch.tensor(case[k], dtype=torch.float64)
                 for k in ('x', 'y', 'log_det', 'weight_y', 'weight_log_det', 'grad_x')}
        x = array['x'].requires_grad_(True)
        y, log_det = block(x)
        name = pathlib.Path(path).stem
        require(f'{name} y', worst(y, array['y']), tolerance)
        require(f'{name} log_det', worst(log_det, array['log_det']), tolerance)
        ((array['weight_y'] * y).sum() + (array['weight_log_det'] * log_det).sum()).backward()
        require(f'{name} grad_x', worst(x.grad, array['grad_x']), tolerance)
        compare_gradients(name, net, case['grad_parameters'], tolerance)
        count += 1
    if count == 0:
        raise AssertionError(f'golden: expected blocks in {GOLDEN}, got none')
    return f'{count} blocks'


def small_flows():
    """One flow of each kind, few blocks, solved tightly."""
    torch.manual_seed(1)
    yield 'residual_block', to_double(residual_block.make_flow())
    yield 'idensenet', to_double(idensenet.make_flow(count=3))
    yield 'monotone', to_double(monotone.make_flow(count=3, tolerance=1e-12, backward_tolerance=1e-12))


def transform(flow, x):
    z = (x - flow.mean) / flow.scale
    for block in flow.blocks:
        z = block(z)[0]
    return z


def check_log_det():
    for name, flow in small_flows():
        x = torch.randn(5, 2, dtype=torch.float64)
        got = flow.log_prob(x.clone())
        for row in range(len(x)):
            jacobian = torch.autograd.functional.jacobian(
                lambda v: transform(flow, v.unsqueeze(0))[0], x[row])
            z = transform(flow, x[row:row + 1])
            expected = torch.linalg.slogdet(jacobian)[1] - 0.5 * (z * z).sum() - math.log(2 * math.pi)
            require(f'{name} log_prob', worst(got[row], expected), SOLVED)
    return 'three flows'


def check_differences():
    step = 1e-5
    for name, flow in small_flows():
        x = torch.randn(7, 2, dtype=torch.float64)

        def loss():
            flow.prepare(100)  # converged norms, so that the loss is a function of the weights
            return -flow.log_prob(x.clone()).mean()

        loss().backward()
        generator = np.random.default_rng(0)
        for parameter in flow.parameters():
            flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)
            for index in generator.integers(flat.numel(), size=min(2, flat.numel())):
                value = float(flat[index])
                flat[index] = value + step
                up = float(loss().detach())
                flat[index] = value - step
                down = float(loss().detach())
                flat[index] = value
                require(f'{name} gradient', abs((up - down) / (2 * step) - float(gradient[index])),
                        DIFFERENCES)
    return 'three flows'


def check_norms():
    torch.manual_seed(2)
    linear = layers.SpectralLinear(40, 30, 0.5).double()
    linear.update_norm(2000)
    linear.bind()
    norm = float(torch.linalg.matrix_norm(linear.effective.detach(), 2))
    require('norm of a capped layer', abs(norm - 0.5), 1e-9)
    return f'{norm:.12f}'


def golden_conv_net(case):
    kernels = [len(case['parameters'][f'{k}.weight'][0][0]) for k in range(3)]
    net = residual_conv.ConvNet(case['channels'], (case['hidden'],) * 2, kernels, case['size'], None).double()
    values = {k: torch.tensor(v, dtype=torch.float64) for k, v in case['parameters'].items()}
    for k, (conv, raw) in enumerate(zip(net.convs, net.raw_betas)):
        conv.weight.data.copy_(values[f'{k}.weight'])
        conv.bias.data.copy_(values[f'{k}.bias'])
        raw.data.copy_(torch.log(torch.expm1(values[f'{k}.beta'])))
    net.prepare()
    return net


def golden_conv(path):
    """A golden block of convolutions: case, network, its arrays, probes along the axes."""
    case = json.loads(path.read_text())
    array = {k: torch.tensor(case[k], dtype=torch.float64)
             for k in ('x', 'y', 'log_det', 'weight_y', 'weight_log_det', 'grad_x')}
    dim = array['x'][0].numel()
    return case, golden_conv_net(case), array, torch.eye(dim, dtype=torch.float64).view(dim, *array['x'].shape[1:])


def check_golden_conv(path):
    """Probes along the axes make the estimate exact; the series is as long as float64 wants."""
    case, net, array, probes = golden_conv(path)
    powers = 120
    for row, x in enumerate(array['x']):
        repeated = x.expand(probes.shape).contiguous().requires_grad_(True)
        of_value = residual_conv.UnbiasedConvBlock(net, lambda: residual_conv.alternating(powers), with_value=True)
        with torch.no_grad():
            require(f'{path.stem} log_det', abs(float(of_value(repeated, probes)[1].sum() - array['log_det'][row])),
                    EXACT)
        y, surrogate = residual_conv.UnbiasedConvBlock(net, lambda: residual_conv.alternating(powers))(repeated, probes)
        require(f'{path.stem} y', worst(y[0], array['y'][row]), EXACT)
        ((array['weight_y'][row] * y[0]).sum() + array['weight_log_det'][row] * surrogate.sum()).backward()
        require(f'{path.stem} grad_x', worst(repeated.grad.sum(0), array['grad_x'][row]), EXACT)
    for k, (conv, raw) in enumerate(zip(net.convs, net.raw_betas)):  # gradients added up over the rows
        found = {'weight': conv.weight.grad, 'bias': conv.bias.grad,
                 'beta': raw.grad / torch.sigmoid(raw.detach())}
        for kind, gradient in found.items():
            expected = torch.tensor(case['grad_parameters'][f'{k}.{kind}'], dtype=torch.float64)
            require(f'{path.stem} {k}.{kind}', worst(gradient, expected.view_as(gradient)), EXACT)


def check_golden_monotone_conv(path):
    """As check_golden_conv; the solves end at the rounding of float64."""
    case, net, array, probes = golden_conv(path)
    terms = 121
    block = monotone_conv.UnbiasedMonotoneBlock(net, 0.5, lambda: [1.0] * terms, 1e-13, 1e-13, 500)
    for row, x in enumerate(array['x']):
        repeated = x.expand(probes.shape).contiguous().requires_grad_(True)
        y, log_det = block.measure(repeated.detach(), [1.0] * terms, probes)
        require(f'{path.stem} y', worst(y[0], array['y'][row]), SOLVED)
        require(f'{path.stem} log_det', abs(float(log_det.sum() - array['log_det'][row])), SOLVED)
        y, surrogate = block(repeated, probes)
        ((array['weight_y'][row] * y[0]).sum() + array['weight_log_det'][row] * surrogate.sum()).backward()
        require(f'{path.stem} grad_x', worst(repeated.grad.sum(0), array['grad_x'][row]), SOLVED)
    for k, conv in enumerate(net.convs):
        expected = torch.tensor(case['grad_parameters'][f'{k}.weight'], dtype=torch.float64)
        require(f'{path.stem} {k}.weight', worst(conv.weight.grad, expected.view_as(conv.weight)), SOLVED)


def check_convolutions():
    paths = sorted(GOLDEN.glob('block_residual_conv_*_lipswish.json'))
    if not paths:
        raise AssertionError(f'convolutions: expected golden blocks in {GOLDEN}, got none')
    for path in paths:
        check_golden_conv(path)
    solved = sorted(GOLDEN.glob('block_monotone_conv_*_lipswish.json'))
    for path in solved:
        check_golden_monotone_conv(path)
    torch.manual_seed(5)
    conv = residual_conv.SpectralConv(3, 5, 3, 6, 0.5).double()
    for _ in range(3000):
        conv.update_norm()
    conv.bind()
    pixels = torch.eye(3 * 36, dtype=torch.float64).view(-1, 3, 6, 6)
    norm = float(torch.linalg.matrix_norm(F.conv2d(pixels, conv.effective.detach(), padding=1).flatten(1), 2))
    require('norm of a capped convolution', abs(norm - 0.5), 1e-5)  # power iteration to its tolerance
    return f'{len(paths)} residual and {len(solved)} monotone blocks, norm {norm:.7f}'


def check_unbiased():
    torch.manual_seed(3)
    flow = gradient_variance.make_flow(None, dim=3, count=1).double()
    for linear in flow.blocks[0].net.linears:  # caps that make the Jacobian large: late terms count
        linear.weight.data.mul_(20.0)
        linear.cap = 4.8
    flow.prepare(200)
    flow.blocks[0].with_value = True
    x = 0.5 * torch.randn(4, 3, dtype=torch.float64)
    net = flow.blocks[0].net
    jacobians = torch.stack([torch.autograd.functional.jacobian(
        lambda v: net(v.unsqueeze(0))[0], row, create_graph=True) for row in x])
    size = float(torch.linalg.matrix_norm(jacobians.detach(), 2).max())
    if not 0.4 < size < 0.8:
        raise AssertionError(f'unbiased: expected a Jacobian of norm 0.4 to 0.8, got {size:.3f}')
    exact = torch.linalg.slogdet(torch.eye(3, dtype=torch.float64) + jacobians)[1].sum()
    expected = torch.cat([g.reshape(-1) for g in torch.autograd.grad(
        exact, [layer.weight for layer in net.linears], retain_graph=True)])
    repeated = x.repeat(PROBES, 1)  # so that the shared truncation, not the probe, is what varies
    direction = expected / expected.norm()
    values, along = gradient_variance.RunningVariance(), gradient_variance.RunningVariance()
    for _ in range(1000):
        flow.zero_grad(set_to_none=True)
        flow.prepare(0)
        log_det = flow.blocks[0](repeated.clone())[1].sum() / PROBES
        log_det.backward()
        values.add(log_det.detach().reshape(1))
        gradient = torch.cat([layer.weight.grad.reshape(-1) for layer in net.linears])
        along.add((gradient @ direction).reshape(1))
    zs = []
    for name, found, true in (('log-determinant', values, exact.detach()),
                              ('gradient along the exact one', along, expected.norm())):
        zs.append(abs(float(found.mean) - float(true)) / math.sqrt(found.total() / found.count))
        require(f'z of the mean {name}', zs[-1], Z_LIMIT)
    return f'z = {zs[0]:.2f} (value), {zs[1]:.2f} (gradient)'


def check_normflows():
    from benchmarks.baselines import normflows_residual
    torch.manual_seed(4)
    model = normflows_residual.make_flow(8, 3).double().eval()
    x = torch.randn(50, 8, dtype=torch.float64)
    z = normflows_residual.forward_without_log_det(model, x)
    back = normflows_residual.reference_inverse(model, z)
    require('round trip of the reference inverse', worst(back, x), 1e-11)
    loose = normflows_residual.SolveOnly(model, 1e-5)(z)
    tight = normflows_residual.SolveOnly(model, 1e-26)(z)
    require('its own inverse, tightened', worst(tight, x), 1e-10)
    return f'its default tolerance leaves {worst(loose, x):.1e}'


CHECKS = {'golden': check_golden, 'log_det': check_log_det, 'differences': check_differences,
          'norms': check_norms, 'convolutions': check_convolutions,
          'unbiased': check_unbiased, 'normflows': check_normflows}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('names', nargs='*', metavar='NAME', help=', '.join(CHECKS))
    names = p.parse_args().names or list(CHECKS)
    failed = False
    for name in names:
        if name not in CHECKS:
            p.error(f'NAME: expected one of {", ".join(CHECKS)}, got {name!r}')
        try:
            print(f'[check] {name}: {CHECKS[name]()}')
        except AssertionError as error:
            failed = True
            print(f'[check] {name} FAILED: {error}', file=sys.stderr)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
