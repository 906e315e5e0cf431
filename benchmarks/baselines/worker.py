"""A peer as a process: says hello, then times what it is asked to, one JSON line each way.

    python -m benchmarks.baselines.worker CASE [--threads 2] [--model FILE] ...
    -> {"case": ..., "dtype": ..., ...}          the hello, when it is ready
    <- {"iterations": 5}   -> {"ms": 7.9, ...}   median per iteration; end of input ends the worker
    <- {"memory": true}    -> {"peak_bytes": ...}   the process's most during one iteration
"""
import argparse
import ctypes
import importlib
import json
import pathlib
import sys

import torch

from benchmarks.baselines import residual_conv

CASES = {
    'residual_block_exact': ('residual_block', 'make'),
    'residual_43d_unbiased': ('normflows_residual', 'make_training'),
    'idensenet_toy': ('idensenet', 'make'),
    'monotone_toy': ('monotone', 'make'),
    'log_prob_8d': ('normflows_residual', 'make_log_prob'),
    'inverse_8d': ('normflows_residual', 'make_inverse'),
    'gradient_variance_43d': ('gradient_variance', 'make'),
    'gemm_512': ('gemm', 'make'),
    'series_gradient': ('gradient_variance', 'make_series'),
    'residual_conv': ('residual_conv', 'make'),
    'residual_conv_bfloat16': ('residual_conv', 'make'),  # the peer in float32: of ours products differ
    'residual_conv_tf32': ('residual_conv', 'make'),
    'conv_variance': ('residual_conv', 'make_variance'),
    'conv_rate': ('gemm', 'make'),
    'series_conv': ('residual_conv', 'make_series'),
}


def parser():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('case', choices=sorted(CASES))
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--model', help='state that the other side exported')
    p.add_argument('--batch', type=int, help='500, of convolutions 16')
    p.add_argument('--rows', type=int, default=4000, help='rows of log_prob and of the inverse')
    p.add_argument('--chunk', type=int, default=1000, help='rows evaluated at a time')
    p.add_argument('--dim', type=int)
    p.add_argument('--blocks', type=int)
    p.add_argument('--growth', type=int)
    p.add_argument('--width', type=int)
    p.add_argument('--terms', type=int)
    p.add_argument('--tolerance', type=float, help='of the solves of a training step')
    p.add_argument('--true-error', type=float)
    p.add_argument('--channels-last', type=int, default=0, help='1: convolutions in that order of axes')
    return p


def make(arguments):
    """The case that the command line names."""
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    module, function = CASES[arguments.case]
    if arguments.batch is None:
        arguments.batch = residual_conv.BATCH if 'conv' in arguments.case else 500
    return getattr(importlib.import_module(f'benchmarks.baselines.{module}'), function)(arguments)


def most_memory():
    """Bytes: the most that the process held since the last reset (Linux only)."""
    for line in pathlib.Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmHWM'):
            return 1024 * int(line.split()[1])
    raise OSError('[worker] /proc/self/status: expected VmHWM, got none. Memory is measured on Linux only.')


def peak_of_one_iteration(work):
    ctypes.CDLL(None).malloc_trim(0)
    pathlib.Path('/proc/self/clear_refs').write_text('5')  # resets VmHWM
    work.run(1)
    return most_memory()


def main():
    work = make(parser().parse_args())
    print(json.dumps(work.hello), flush=True)
    for line in sys.stdin:
        if not line.strip():
            continue
        request = json.loads(line)
        if request.get('memory'):
            reply = {'peak_bytes': peak_of_one_iteration(work)}
        else:
            reply = work.run(int(request['iterations']))
        print(json.dumps(reply), flush=True)


if __name__ == '__main__':
    main()
