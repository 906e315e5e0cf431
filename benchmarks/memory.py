"""Peak memory of a gradient's activations over width, depth and series length, ours and the peer's.

    python -m benchmarks.memory [--batch 4096] [--threads 2]

Each point is a fresh process per side. One iteration's peak beyond what the process holds is taken at
the batch and at 16 rows; the difference is what the batch costs, free of parameters, gradients and
buffers of the libraries. One JSON line per point: name, ours_bytes, peer_bytes, ratio (peer over ours)
and the point. Linux only.
"""
import argparse
import json
import pathlib
import sys

from benchmarks.paired.run import ROOT
from benchmarks.paired.worker_process import Worker, WorkerError

BASE = {'width': 128, 'blocks': 4, 'terms': 4}
SWEEPS = {'width': (128, 256, 512), 'blocks': (1, 2, 4, 8, 16), 'terms': (2, 4, 8, 16)}
SMALL_BATCH = 16
DIM = 32


def activation_bytes(side, command, options):
    """What the batch adds to the peak of one iteration."""
    peaks = []
    for batch in (options.batch, SMALL_BATCH):
        worker = Worker(side, [*command, '--batch', str(batch)], options.threads, ROOT, options.timeout)
        try:
            worker.ask(2)  # libraries allocate their own buffers first
            peaks.append(worker.added_peak())
        finally:
            worker.close()
    return peaks[0] - peaks[1]


def measure(axis, value, options):
    point = {**BASE, axis: value, 'dim': DIM}
    arguments = ['series_gradient', '--threads', str(options.threads)]
    for key, number in point.items():
        arguments += ['--' + key, str(number)]
    bench = pathlib.Path(options.build).resolve() / 'benchmarks/paired/contraflow_bench'
    ours = activation_bytes('ours', [str(bench), *arguments], options)
    peer = activation_bytes('peer', [sys.executable, '-m', 'benchmarks.baselines.worker', *arguments],
                            options)
    return {'name': f'memory_{axis}', 'ours_bytes': ours, 'peer_bytes': peer,
            'ratio': peer / max(ours, 1), 'batch': options.batch, 'threads': options.threads, **point}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('sweeps', nargs='*', metavar='SWEEP', help=', '.join(SWEEPS) + ' (default: all)')
    p.add_argument('--build', default=str(ROOT / 'build/release'))
    p.add_argument('--batch', type=int, default=4096)
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--timeout', type=float, default=600.0)
    options = p.parse_args()
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
            values = [line[f'{side}_bytes'] for line in lines]
            print(f'[memory] {axis} {SWEEPS[axis][0]} to {SWEEPS[axis][-1]}: {side} '
                  f'{values[0] / 2 ** 20:.1f} to {values[-1] / 2 ** 20:.1f} MiB '
                  f'({values[-1] / max(values[0], 1):.2f} times)', file=sys.stderr)
    return 0


if __name__ == '__main__':
    sys.exit(main())
