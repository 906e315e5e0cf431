"""Writes blocks/block_custom_*.json, norms.json and energies.json: what the given golden files do not have.

From the definitions, in float64, by means that the library does not use: blocks by PyTorch's automatic
differentiation and dense determinants, norms by a search along the circle, energies by NumPy's sums.
Run once, by hand, where PyTorch is: python3 make_extended.py
"""
import json
import math
import pathlib

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
ROWS, TERMS, BETA, GAIN = 6, 10, 0.7, 1.7


def save(name, value):
    (HERE / name).write_text(json.dumps(value) + '\n')


def plain(t):
    return t.detach().tolist()


# Blocks of any 2x2 form: x = a w + b G(w), y = c w + d G(w).

def activate(kind, z, beta):
    if kind == 'tanh':
        return torch.tanh(z)
    return z * torch.sigmoid(beta * z) / 1.1


def network(kind, parameters, depth, w):
    z = w
    for k in range(depth):
        z = activate(kind, z, parameters.get(f'{k}.beta')) @ parameters[f'{k}.weight'].T + parameters[f'{k}.bias']
    return z


def draw_parameters(kind, dims, generator):
    out = {}
    for k, (inputs, outputs) in enumerate(zip(dims, dims[1:])):
        weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)
        out[f'{k}.weight'] = GAIN * weight / torch.linalg.matrix_norm(weight, 2)
        out[f'{k}.bias'] = 0.3 * torch.randn(outputs, generator=generator, dtype=torch.float64)
        if kind == 'lipswish':
            out[f'{k}.beta'] = torch.tensor(BETA, dtype=torch.float64)
    return out


def run_block(matrix, net, x):
    a, b, c, d = matrix
    with torch.no_grad():
        w = x / a
        for _ in range(2000):
            w = (x - b * net(w)) / a
    jacobian = torch.stack([torch.autograd.functional.jacobian(lambda v: net(v[None])[0], row) for row in w])
    eye = torch.eye(x.shape[1], dtype=torch.float64)
    # One Newton step changes nothing but carries the derivative of the solution.
    residual = a * w + b * net(w) - x
    w = w - torch.linalg.solve(a * eye + b * jacobian, residual[..., None])[..., 0]
    at_w = torch.stack([torch.autograd.functional.jacobian(lambda v: net(v[None])[0], row, create_graph=True)
                        for row in w])
    log_det = torch.linalg.slogdet(c * eye + d * at_w)[1] - torch.linalg.slogdet(a * eye + b * at_w)[1]
    return w, c * w + d * net(w), log_det, at_w


def block(kind, dims, matrix, seed):
    generator = torch.Generator().manual_seed(seed)
    parameters = draw_parameters(kind, dims, generator)
    x = torch.randn(ROWS, dims[0], generator=generator, dtype=torch.float64)
    weight_y = torch.randn(ROWS, dims[0], generator=generator, dtype=torch.float64)
    weight_log_det = torch.randn(ROWS, generator=generator, dtype=torch.float64)
    leaves = [x, *parameters.values()]
    for leaf in leaves:
        leaf.requires_grad_(True)

    def loss():
        w, y, log_det, jacobian = run_block(matrix, lambda v: network(kind, parameters, len(dims) - 1, v), x)
        return w, y, log_det, jacobian, (y * weight_y).sum() + (log_det * weight_log_det).sum()

    w, y, log_det, jacobian, value = loss()
    gradients = torch.autograd.grad(value, leaves)
    for leaf, gradient in zip(leaves, gradients):  # central differences along a random direction
        direction = torch.randn(leaf.shape, generator=generator, dtype=torch.float64)
        ends = []
        for step in (1e-5, -2e-5):
            leaf.data.add_(direction, alpha=step)
            ends.append(loss()[4].item())
        leaf.data.add_(direction, alpha=1e-5)
        slope = (ends[0] - ends[1]) / 2e-5
        assert abs(slope - (gradient * direction).sum().item()) < 1e-7 * (1 + abs(slope)), leaf.shape
    a, b, c, d = matrix
    traces, power = [], jacobian
    for k in range(1, TERMS + 1):
        factor = (-1) ** (k + 1) / k * ((d / c) ** k - (b / a) ** k)
        traces.append(plain(factor * power.diagonal(dim1=1, dim2=2).sum(1)))
        power = power @ jacobian
    shape = 'x'.join(map(str, dims))
    save(f'blocks/block_custom_mlp_{shape}_{kind}.json', {
        'kind': 'mlp', 'dims': dims, 'activation': kind, 'form': 'custom', 'matrix': matrix,
        'parameters': {name: plain(p) for name, p in parameters.items()},
        'x': plain(x), 'w': plain(w), 'y': plain(y), 'log_det': plain(log_det), 'series_terms': traces,
        'jacobian_norms': plain(torch.linalg.matrix_norm(jacobian, 2)),
        'weight_y': plain(weight_y), 'weight_log_det': plain(weight_log_det), 'grad_x': plain(gradients[0]),
        'grad_parameters': {name: plain(g) for name, g in zip(parameters, gradients[1:])}})


# Norms |W|_(p -> q) of matrices with two columns: every direction is a point of the circle.

def length(v, order):
    return np.abs(v).max(0) if order == math.inf else (np.abs(v) ** order).sum(0) ** (1 / order)


def ratio(weight, angle, p, q):
    x = np.stack([np.cos(angle), np.sin(angle)])
    return length(weight @ x, q) / length(x, p)


def norm(weight, p, q):
    low, high = 0.0, math.pi
    for _ in range(12):
        angle = np.linspace(low, high, 20_001)
        best = angle[ratio(weight, angle, p, q).argmax()]
        half = 2 * (high - low) / 20_000
        low, high = best - half, best + half
    return float(ratio(weight, np.array([best]), p, q)[0])


def norms():
    rng = np.random.default_rng(7)
    orders = [1.0, 1.5, 2.0, 3.0, math.inf]
    out = []
    for rows in (2, 3, 7):
        weight = rng.standard_normal((rows, 2))
        cases = [{'p': 'inf' if p == math.inf else p, 'q': 'inf' if q == math.inf else q,
                  'norm': norm(weight, p, q)} for p in orders for q in orders]
        out.append({'weight': weight.tolist(), 'cases': cases})
    save('norms.json', out)


# Energies of Rezende and Mohamed 2015, table 1, with the library's wall beyond 4.

def energy(name, x, y):
    wave = np.sin(2 * np.pi * x / 4)
    wall = 0.5 * (np.maximum(np.abs(x) - 4, 0) / 0.4) ** 2

    def bump(v, width):
        return np.exp(-0.5 * (v / width) ** 2)

    with np.errstate(divide='ignore'):
        if name == 'u1':
            ring = 0.5 * ((np.hypot(x, y) - 2) / 0.4) ** 2
            return ring - np.log(bump(x - 2, 0.6) + bump(x + 2, 0.6))
        if name == 'u2':
            return 0.5 * ((y - wave) / 0.4) ** 2 + wall
        if name == 'u3':
            return -np.log(bump(y - wave, 0.35) + bump(y - wave + 3 * bump(x - 1, 0.6), 0.35)) + wall
        step = 3 / (1 + np.exp(-(x - 1) / 0.3))
        return -np.log(bump(y - wave, 0.4) + bump(y - wave + step, 0.35)) + wall


def energies():
    axis = np.linspace(-9, 9, 6001)
    points = np.random.default_rng(3).uniform(-3.5, 3.5, (20, 2))
    out = {'points': points.tolist()}
    for name in ('u1', 'u2', 'u3', 'u4'):
        mass = sum(np.exp(-energy(name, x, axis)).sum() for x in axis) * (axis[1] - axis[0]) ** 2
        out[name] = {'log_normaliser': math.log(mass), 'energy': energy(name, *points.T).tolist()}
    save('energies.json', out)


if __name__ == '__main__':
    block('tanh', [2, 16, 16, 2], [1.0, -0.6, 0.9, 0.7], 1)
    block('lipswish', [5, 24, 5], [1.0, 0.4, 0.8, -0.3], 2)
    norms()
    energies()
