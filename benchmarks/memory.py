"""Memory of a gradient's activations over width, depth and series length, ours and the peer's.

    python -m benchmarks.memory [SWEEP ...] [--batch 65536] [--peer-batch 4096] [--threads 2]

Sweeps conv_... are of blocks of convolutions (residual_conv), 4 channels on 14x14 pixels, at a batch of 64
on both sides; their lines have the peaks of a batch of 16 too, ours_peak_bytes and peer_peak_bytes, in which
everything counts: libraries, parameters, gradients.

Each point is four fresh processes: per side the peak of one iteration at the batch and at half of it.
The difference over the rows between them is what a row costs, free of parameters, gradients, buffers
of the libraries and our tiles' workspace, which is bounded per thread (kernels/tile/workspace.h). The
peer's batch is smaller because it would not fit otherwise. One JSON line per point: name,
ours_row_bytes, peer_row_bytes, ratio (peer over ours) and the point. Linux with glibc only.
"""
import argparse
import json
import os
import pathlib
import sys

from benchmarks.paired.run import ROOT
from benchmarks.paired.worker_process import Worker, WorkerError

BASE = {'width': 128, 'blocks': 4, 'terms': 4}
CONV_BASE = {'width': 512, 'blocks': 1, 'terms': 4}
SWEEPS = {'width': (128, 256, 512), 'blocks': (1, 2, 4, 8, 16), 'terms': (2, 4, 8, 16),
          'conv_width': (128, 256, 512), 'conv_blocks': (1, 4, 16), 'conv_terms': (2, 4, 8)}
DIM = 32
CONV_BATCH = 64
CONV_PEAK_BATCH = 16
# glibc otherwise learns from freed blocks to take large ones from its heap, where gaps between them
# count as held: the peak then depends on the order of sizes more than on what is alive.
ALLOCATOR = {'MALLOC_MMAP_THRESHOLD_': '100000'}


def peak_bytes(side, command, rows, options):
    """The peak of one iteration."""
    worker = Worker(side, [*command, '--batch', str(rows)], options.threads, ROOT, options.timeout)
    try:
        worker.ask(2)  # libraries allocate their own buffers first
        return worker.peak()
    finally:
        worker.close()


def row_bytes(side, command, batch, options):
    """What a row adds to the peak of one iteration."""
    whole, half = (peak_bytes(side, command, rows, options) for rows in (batch, batch // 2))
    return (whole - half) / (batch - batch // 2)


def measure_conv(axis, value, options):
    point = {**CONV_BASE, axis.removeprefix('conv_'): value}
    ours, peer = commands('series_conv', point, options)
    line = {'name': f'memory_{axis}', 'batch': CONV_BATCH, 'threads': options.threads, **point}
    for side, command in (('ours', ours), ('peer', peer)):
        line[f'{side}_row_bytes'] = row_bytes(side, command, CONV_BATCH, options)
        line[f'{side}_peak_bytes'] = peak_bytes(side, command, CONV_PEAK_BATCH, options)
    line['ratio'] = line['peer_row_bytes'] / max(line['ours_row_bytes'], 1)
    line['peak_ratio'] = line['peer_peak_bytes'] / line['ours_peak_bytes']
    return line


def measure(axis, value, options):
    if axis.startswith('conv_'):
        return measure_conv(axis, value, options)
    point = {**BASE, axis: value, 'dim': DIM}
    ours_command, peer_command = commands('series_gradient', point, options)
    ours = row_bytes('ours', ours_command, options.batch, options)
    peer = row_bytes('peer', peer_command, options.peer_batch, options)
    return {'name': f'memory_{axis}', 'ours_row_bytes': ours, 'peer_row_bytes': peer,
            'ratio': peer / max(ours, 1), 'batch': options.batch, 'peer_batch': options.peer_batch,
            'threads': options.threads, **point}


def commands(case, point, options):
    arguments = [case, '--threads', str(options.threads)]
    for key, number in point.items():
        arguments += ['--' + key, str(number)]
    bench = pathlib.Path(options.build).resolve() / 'benchmarks/paired/contraflow_bench'
    return [str(bench), *arguments], [sys.executable, '-m', 'benchmarks.baselines.worker', *arguments]


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('sweeps', nargs='*', metavar='SWEEP', help=', '.join(SWEEPS) + ' (default: all)')
    p.add_argument('--build', default=str(ROOT / 'build/release'))
    p.add_argument('--batch', type=int, default=65536)
    p.add_argument('--peer-batch', type=int, default=4096)
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--timeout', type=float, default=600.0)
    options = p.parse_args()
    os.environ.update(ALLOCATOR)
    for axis in options.sweeps or SWEEPS:
        if axis not in SWEEPS:
            p.error(f'SWEEP: expected one of {", ".join(SWEEPS)}, got {axis!r}')
        lines = []
        for value in SWEEPS[axis]:
            try:
                lines.append(measure(axis, value, options))
            except WorkerError as error:
                print(error, file=sys.stderr)
                return 1
            print(json.dumps(lines[-1]), flush=True)
        for side in ('ours', 'peer'):
            values = [line[f'{side}_row_bytes'] for line in lines]
            print(f'[memory] {axis} {SWEEPS[axis][0]} to {SWEEPS[axis][-1]}: {side} '
                  f'{values[0]:.0f} to {values[-1]:.0f} bytes a row '
                  f'({values[-1] / max(values[0], 1):.2f} times)', file=sys.stderr)
    return 0


if __name__ == '__main__':
    sys.exit(main())
