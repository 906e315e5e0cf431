"""What every peer case is made of: a named piece of work that can be timed."""
import statistics
import time

import torch


class Case:
    """`step()` is one iteration of the work; `extra()` adds measured facts to a reply."""

    def __init__(self, name, step, parameters, extra=None, dtype='float32'):
        self.name = name
        self.step = step
        self.extra = extra or (lambda: {})
        self.hello = {'case': name, 'dtype': dtype, 'parameters': parameters,
                      'threads': torch.get_num_threads(), 'torch': torch.__version__}

    def run(self, iterations):
        """{"ms": median per iteration, ...}."""
        times = []
        for _ in range(iterations):
            start = time.perf_counter()
            self.step()
            times.append(1e3 * (time.perf_counter() - start))
        return {'ms': statistics.median(times), **self.extra()}


def parameter_count(module):
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def training_step(flow, prepare, batch, rate=1e-3, decay=1e-5):
    """One whole step: norms, data, loss, gradients, Adam with decoupled decay in one fused kernel."""
    optimizer = torch.optim.AdamW(flow.parameters(), lr=rate, weight_decay=decay, fused=True)

    def step():
        prepare()
        loss = -flow.log_prob(batch()).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss

    return step
