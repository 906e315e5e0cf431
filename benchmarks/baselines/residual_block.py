"""One residual block 2-128x4-2, LipSwish, exact 2-D log-determinant: a whole training step.

Chen et al. 2019, Residual Flows: an activation before each linear layer, norms by five power iterations
a step. Batch 500 of 8 Gaussians.
"""
import numpy as np

from benchmarks.baselines import blocks, case, checkpoint, layers, toy

DIMS = (2, 128, 128, 128, 128, 2)
LIPSCHITZ = 0.9
POWER_ITERATIONS = 5


def make_flow(model=None):
    flow = blocks.Flow([blocks.ResidualBlock(layers.sequential_net(DIMS, 'lipswish', LIPSCHITZ))])
    if model:
        checkpoint.load_flow(flow, model)
    return flow


def make(options):
    flow = make_flow(options.model)
    generator = np.random.default_rng(options.seed)
    step = case.training_step(flow, lambda: flow.prepare(POWER_ITERATIONS),
                              lambda: toy.eight_gaussians(generator, options.batch))
    return case.Case('residual_block_exact', step, case.parameter_count(flow))
