"""Memory of a gradient's activations over width, depth and series length, ours and the peer's.

    python -m benchmarks.memory [SWEEP ...] [--batch 65536] [--peer-batch 4096] [--threads 2]

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
SWEEPS = {'width': (128, 256, 512), 'blocks': (1, 2, 4, 8, 16), 'terms': (2, 4, 8, 16)}
DIM = 32
# glibc otherwise learns from freed blocks to take large ones from its heap, where gaps between them
# count as held: the peak then depends on the order of sizes more than on what is alive.
ALLOCATOR = {'MALLOC_MMAP_THRESHOLD_': '100000'}


def row_bytes(side, command, batch, options):
    """What a row adds to the peak of one iteration."""
    peaks = []
    for rows in (batch, batch // 2):
        worker = Worker(side, [*command, '--batch', str(rows)], options.threads, ROOT, options.timeout)
        try:
            worker.ask(2)  # libraries allocate their own buffers first
            peaks.append(worker.peak())
        finally:
            worker.close()
    return (peaks[0] - peaks[1]) / (batch - batch // 2)


def measure(axis, value, options):
    point = {**BASE, axis: value, 'dim': DIM}
    arguments = ['series_gradient', '--threads', str(options.threads)]
    for key, number in point.items():
        arguments += ['--' + key, str(number)]
    bench = pathlib.Path(options.build).resolve() / 'benchmarks/paired/contraflow_bench'
    ours = row_bytes('ours', [str(bench), *arguments], options.batch, options)
    peer = row_bytes('peer', [sys.executable, '-m', 'benchmarks.baselines.worker', *arguments],
                     options.peer_batch, options)
    return {'name': f'memory_{axis}', 'ours_row_bytes': ours, 'peer_row_bytes': peer,
            'ratio': peer / max(ours, 1), 'batch': options.batch, 'peer_batch': options.peer_batch,
            'threads': options.threads, **point}


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
