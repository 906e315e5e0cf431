"""normflows' own residual flow (a port of the authors' code), used through its public classes.

Cases: a training step at d = 43 (normflows' defaults: geometric(.5) after two exact terms, Neumann
gradient, memory-efficient), log_prob at d = 8, and the inverse at d = 8 run to a true error.
"""
import math
import time

import normflows as nf
import torch
from normflows.nets.lipschitz import InducedNormLinear, Swish
from normflows.utils.optim import update_lipschitz

from benchmarks.baselines import case, checkpoint

HIDDEN = (128, 128, 128)
LIPSCHITZ = 0.9
POWER_ITERATIONS = 5
UNCAPPED = 1e30
TRUE_ERROR = 1e-6
QUANTILE = 0.999
CALIBRATION_ROWS = 1000
TRIALS = 3
SAME_FUNCTION = 1e-5


def make_flow(dim, count, exact_trace=False):
    """Ten blocks and a standard normal; last layers start as normflows starts them otherwise."""
    dims = [dim, *HIDDEN, dim]
    flows = []
    for _ in range(count):
        net = nf.nets.LipschitzMLP(dims, init_zeros=False, lipschitz_const=LIPSCHITZ,
                                   max_lipschitz_iter=POWER_ITERATIONS)
        flows.append(nf.flows.Residual(net, exact_trace=exact_trace))
    return nf.NormalizingFlow(nf.distributions.DiagGaussian(dim, trainable=False), flows)


def load_effective(model, path):
    """Our blocks' scaled weights, as they are: the two flows are then the same function.

    Returns our standardisation, or None; normflows has no such transform.
    """
    state, _ = checkpoint.flow_state(path)
    states = checkpoint.block_states(state)
    for flow, values in zip(reversed(model.flows), states):  # normflows goes latent -> data
        linears = [m for m in flow.modules() if isinstance(m, InducedNormLinear)]
        swishes = [m for m in flow.modules() if isinstance(m, Swish)]
        ours, betas = checkpoint.effective_layers(values)
        for k, (linear, (weight, bias, bounds)) in enumerate(zip(linears, ours)):
            cap = LIPSCHITZ if k == len(ours) - 1 else 1.0
            scale = min(1.0, cap / float(bounds[1] + bounds[2]))
            linear.weight.data.copy_(weight * scale)
            linear.bias.data.copy_(bias)
            linear.coeff = UNCAPPED
        for swish, beta in zip(swishes, betas):
            swish.beta.data.fill_(float(beta))
    return checkpoint.standardization(state)


def make_training(options):
    """Whole training step at d = 43: norms, data order, loss, gradients, Adam."""
    torch.manual_seed(options.seed)
    dim = options.dim or 43
    model = make_flow(dim, options.blocks or 10)
    model.train()
    data = torch.randn(20000, dim)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-5, fused=True)
    order = iter(())

    def batch():
        nonlocal order
        rows = next(order, None)
        if rows is None:
            order = iter(torch.randperm(len(data)).split(options.batch))
            rows = next(order)
        return data[rows]

    def step():
        update_lipschitz(model, POWER_ITERATIONS)
        loss = model.forward_kld(batch())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return case.Case('residual_43d_unbiased', step, case.parameter_count(model))


def make_log_prob(options):
    """log_prob of `rows` rows at d = 8 in chunks, in the faster of normflows' ways of taking traces."""
    torch.manual_seed(options.seed)
    models = {}
    for kind in ('probes', 'exact_trace'):
        model = make_flow(8, options.blocks or 10, exact_trace=kind == 'exact_trace')
        if options.model:
            load_effective(model, options.model)
        model.eval().requires_grad_(False)
        models[kind] = model
    x = shared_tensors(options).get('x', torch.randn(options.rows, 8))

    def evaluate(kind, rows):  # its estimators keep a graph, which would fill the memory
        return torch.cat([models[kind].log_prob(c).detach() for c in rows.split(options.chunk)])

    head = x[:options.chunk]
    trials = {kind: case.Case(kind, lambda kind=kind: evaluate(kind, head), 0).run(TRIALS)['ms']
              for kind in models}
    faster = min(trials, key=trials.get)
    facts = {f'{kind}_ms': ms for kind, ms in trials.items()}
    return case.Case('log_prob_8d', lambda: evaluate(faster, x),
                     case.parameter_count(models[faster]), lambda: facts)


def shared_tensors(options):
    return checkpoint.read_safetensors(options.model)[0] if options.model else {}


class SolveOnly:
    """normflows' fixed point through the chain, without the log-determinants it would add."""

    def __init__(self, model, tolerance):
        self.blocks = [flow.iresblock for flow in model.flows]
        self.tolerance = tolerance

    @torch.no_grad()
    def __call__(self, z):
        for block in self.blocks:
            z = block._inverse_fixed_point(z, atol=self.tolerance, rtol=self.tolerance)
        return z


@torch.no_grad()
def forward_without_log_det(model, x):
    for flow in reversed(model.flows):
        x = flow.iresblock.forward(x)
    return x


def error_quantile(value, reference):
    """The statistic both sides are held to: the 99.9th percentile over rows of the Euclidean error."""
    return float((value.double() - reference).norm(dim=1).quantile(QUANTILE))


@torch.no_grad()
def reference_inverse(model, z, iterations=2000):
    """The inverse in float64, iterated until it no longer moves."""
    z = z.double()
    for flow in model.flows:
        block, y, x = flow.iresblock, z, z
        for _ in range(iterations):
            new = y - block.nnet(x)
            moved = float((new - x).abs().max())
            x = new
            if moved < 1e-14:
                break
        z = x
    return z


def check_same_function(reference, shared):
    """Both sides solved the same points tightly in float64; the answers must agree."""
    if 'reference' not in shared:
        return
    difference = float((reference - shared['reference']).abs().max())
    if difference > SAME_FUNCTION * TRUE_ERROR:
        raise ValueError(f'[inverse_8d] reference: expected the same inverse on both sides, got a '
                         f'difference of {difference:.2e}. The exported model was read wrongly.')


def loosest_solve(model, dtype, z, reference, target, chunks):
    """(dtype, solve, error, seconds for all chunks) at the loosest tolerance that is accurate enough
    on the rows z, or None."""
    model.to(dtype)
    for exponent in range(8, 57):  # the test of its iteration is (step)^2 / tolerance < 1
        solve = SolveOnly(model, 10.0 ** (-exponent / 2))
        error = error_quantile(solve(z.to(dtype)), reference)
        if error <= target:
            begin = time.perf_counter()
            for chunk in chunks:
                solve(chunk.to(dtype))
            return dtype, solve, error, time.perf_counter() - begin
    return None


def make_inverse(options):
    """The inverse at d = 8: the loosest of its tolerances whose true error is small enough."""
    torch.manual_seed(options.seed)
    model = make_flow(8, options.blocks or 10)
    if options.model:
        load_effective(model, options.model)
    model.eval().requires_grad_(False)
    target = options.true_error or TRUE_ERROR
    shared = shared_tensors(options)
    with torch.no_grad():
        z = shared.get('z')
        if z is None:
            z = forward_without_log_det(model, torch.randn(options.rows, 8))
        first = z[:CALIBRATION_ROWS]
        reference = reference_inverse(model.double(), first)
        check_same_function(reference, shared)
        candidates = [c for c in (loosest_solve(model, dtype, first, reference, target, z.split(options.chunk))
                                  for dtype in (torch.float32, torch.float64)) if c]
    if not candidates:
        raise ArithmeticError(f'[inverse_8d] true error: expected {target}, got more at every '
                              'tolerance. Raise --true-error.')
    # In float32 a chunk may run to its last iteration, held up by one row: the faster type
    # counts.
    dtype, solve, error, _ = min(candidates, key=lambda c: c[3])
    model.to(dtype)
    chunks = z.to(dtype).split(options.chunk)
    facts = {'true_error': error, 'tolerance': solve.tolerance, 'rows': options.rows}
    return case.Case('inverse_8d', lambda: [solve(c) for c in chunks],
                     case.parameter_count(model), lambda: facts, str(dtype).removeprefix('torch.'))
