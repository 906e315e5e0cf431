"""The i-DenseNet toy: a whole training step, data included.

Perugachi-Diaz, Tomczak, Bhulai 2021: ten dense blocks (depth 3, growth 16, CLipSwish, learnable
concatenation), exact 2-D log-determinants, batch 500, Adam 1e-3 with decoupled decay 1e-5, norms by
five power iterations a step. Standardised as our preset does; neither has an ActNorm.
"""
import numpy as np

from benchmarks.baselines import blocks, case, checkpoint, layers, toy

LIPSCHITZ = 0.9
POWER_ITERATIONS = 5


def make_flow(model=None, count=10, growth=16, depth=3):
    flow = blocks.Flow([
        blocks.ResidualBlock(layers.dense_net(2, depth, growth, 'clipswish', LIPSCHITZ))
        for _ in range(count)])
    if model:
        checkpoint.load_flow(flow, model)
    return flow


def make(options):
    flow = make_flow(options.model, options.blocks or 10, options.growth or 16)
    generator = np.random.default_rng(options.seed)
    step = case.training_step(flow, lambda: flow.prepare(POWER_ITERATIONS),
                              lambda: toy.eight_gaussians(generator, options.batch))
    return case.Case('idensenet_toy', step, case.parameter_count(flow))
