"""A peer as a process: says hello, then times what it is asked to, one JSON line each way.

    python -m benchmarks.baselines.worker CASE [--threads 2] [--model FILE] ...
    -> {"case": ..., "dtype": ..., ...}          the hello, when it is ready
    <- {"iterations": 5}   -> {"ms": 7.9, ...}   median per iteration; end of input ends the worker
"""
import argparse
import importlib
import json
import sys

import torch

CASES = {
    'residual_block_exact': ('residual_block', 'make'),
    'residual_43d_unbiased': ('normflows_residual', 'make_training'),
    'idensenet_toy': ('idensenet', 'make'),
    'monotone_toy': ('monotone', 'make'),
    'log_prob_8d': ('normflows_residual', 'make_log_prob'),
    'inverse_8d': ('normflows_residual', 'make_inverse'),
    'gradient_variance_43d': ('gradient_variance', 'make'),
    'gemm_512': ('gemm', 'make'),
}


def parser():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('case', choices=sorted(CASES))
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--model', help='state that the other side exported')
    p.add_argument('--batch', type=int, default=500)
    p.add_argument('--rows', type=int, default=20000, help='rows of log_prob and of the inverse')
    p.add_argument('--chunk', type=int, default=2000, help='rows evaluated at a time')
    p.add_argument('--dim', type=int)
    p.add_argument('--blocks', type=int)
    p.add_argument('--growth', type=int)
    p.add_argument('--tolerance', type=float, help='of the solves of a training step')
    p.add_argument('--true-error', type=float)
    return p


def make(arguments):
    """The case that the command line names."""
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    module, function = CASES[arguments.case]
    return getattr(importlib.import_module(f'benchmarks.baselines.{module}'), function)(arguments)


def main():
    work = make(parser().parse_args())
    print(json.dumps(work.hello), flush=True)
    for line in sys.stdin:
        if line.strip():
            print(json.dumps(work.run(int(json.loads(line)['iterations']))), flush=True)


if __name__ == '__main__':
    main()
