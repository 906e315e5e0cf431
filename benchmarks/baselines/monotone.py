"""The Monotone Flow toy: a whole training step, data included.

Ahn et al. 2022: the i-DenseNet toy with CPila and the Cayley form. Solves to the same certified error
as ours: kappa / (1 - kappa) times the residual, kappa per block as our model states it.
"""
import json

import numpy as np

from benchmarks.baselines import blocks, case, checkpoint, layers, toy

LIPSCHITZ = 0.9
POWER_ITERATIONS = 5


def make_flow(model=None, count=10, tolerance=1e-4, backward_tolerance=1e-3):
    flow = blocks.Flow([
        blocks.MonotoneBlock(layers.dense_net(2, 3, 16, 'cpila', LIPSCHITZ), LIPSCHITZ, tolerance,
                             backward_tolerance)
        for _ in range(count)])
    if model:
        metadata = checkpoint.load_flow(flow, model)
        if 'kappa' in metadata:
            for block, kappa in zip(flow.blocks, json.loads(metadata['kappa'])):
                block.kappa = kappa
    return flow


def make(options):
    flow = make_flow(options.model, options.blocks or 10, options.tolerance or 1e-4)
    generator = np.random.default_rng(options.seed)
    step = case.training_step(flow, lambda: flow.prepare(POWER_ITERATIONS),
                              lambda: toy.eight_gaussians(generator, options.batch))
    return case.Case('monotone_toy', step, case.parameter_count(flow))
