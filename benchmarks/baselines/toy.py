"""Toy data of the training steps, in numpy, whole batches at a time."""
import numpy as np
import torch

# 1.414, not the square root of two: the published experiments round it.
_ANGLES = np.arange(8) * np.pi / 4
_CENTRES = 4.0 / 1.414 * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)
_DEVIATION = 0.5 / 1.414


def eight_gaussians(generator, count):
    """[count, 2], float32, on the CPU."""
    x = generator.standard_normal((count, 2))
    x *= _DEVIATION
    x += _CENTRES[generator.integers(8, size=count)]
    return torch.from_numpy(x.astype(np.float32))
