"""Time per training step over blocks and batch, 1 to 64 times the start, and its log-log slope.

    python -m benchmarks.scaling [--case idensenet_toy] [--write] [--plot docs/images/scaling.svg]

One JSON line per axis: name, sizes, ms, slope (least squares on the logarithms over the whole range;
1 = linear) and upper_slope (over the upper half, where fixed costs no longer count).
"""
import argparse
import json
import math
import pathlib
import statistics
import sys

from benchmarks.paired.run import ROOT, cpu_name, iterations_for
from benchmarks.paired.worker_process import Worker, WorkerError

FACTORS = (1, 2, 4, 8, 16, 32, 64)
START = {'blocks': 1, 'batch': 500}
OTHER = {'blocks': {'batch': 500}, 'batch': {'blocks': 2}}
ROUNDS = 3


def slope(sizes, times):
    """Least-squares slope of log time over log size."""
    x = [math.log(s) for s in sizes]
    y = [math.log(t) for t in times]
    mx, my = statistics.fmean(x), statistics.fmean(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y)) / sum((a - mx) ** 2 for a in x)


def milliseconds(axis, size, options):
    """Median over rounds of our step at one size."""
    command = [str(pathlib.Path(options.build).resolve() / 'benchmarks/paired/contraflow_bench'),
               options.case, '--threads', str(options.threads), '--train-steps', '0']
    for key, value in {**OTHER[axis], axis: size}.items():
        command += ['--' + key, str(value)]
    worker = Worker('ours', command, options.threads, ROOT, options.timeout)
    try:
        worker.ask(1)
        count = iterations_for(worker.ask(1)['ms'])
        return statistics.median(worker.ask(count)['ms'] for _ in range(ROUNDS))
    finally:
        worker.close()


def measure(axis, options):
    sizes = [START[axis] * f for f in FACTORS if f <= options.largest]
    times = [milliseconds(axis, size, options) for size in sizes]
    half = len(sizes) // 2
    return {'name': f'scaling_{axis}', 'case': options.case, 'sizes': sizes, 'ms': times,
            'slope': slope(sizes, times), 'upper_slope': slope(sizes[half:], times[half:]),
            'threads': options.threads, 'cpu': cpu_name(), **OTHER[axis]}


def svg(lines):
    """A log-log panel per axis: dots, and the line of slope 1 through the last one."""
    panel, margin, side = 360, 56, 260
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{panel * len(lines)}" height="340" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{panel * len(lines)}" height="340" fill="white"/>']
    for index, line in enumerate(lines):
        sizes, times = line['sizes'], line['ms']
        x0, y0 = math.log2(sizes[0]), math.floor(math.log2(min(times)))
        x_span = math.log2(sizes[-1]) - x0
        y_span = max(1, math.ceil(math.log2(max(times))) - y0)
        left = index * panel + margin

        def place(size, ms, left=left, x0=x0, y0=y0, x_span=x_span, y_span=y_span):
            return (left + side * (math.log2(size) - x0) / x_span,
                    290 - 250 * (math.log2(ms) - y0) / y_span)

        parts.append(f'<text x="{left}" y="22" font-weight="bold">ms per step over '
                     f'{line["name"].removeprefix("scaling_")}, slope {line["slope"]:.2f}</text>')
        for size in sizes:
            x, _ = place(size, 2.0 ** y0)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="40" y2="290" stroke="#ddd"/>'
                         f'<text x="{x:.1f}" y="308" text-anchor="middle">{size}</text>')
        for power in range(y0, y0 + y_span + 1):
            _, y = place(sizes[0], 2.0 ** power)
            parts.append(f'<line x1="{left}" x2="{left + side}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
                         f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{2.0 ** power:g}</text>')
        start = max(sizes[0], sizes[-1] * 2.0 ** y0 / times[-1])
        (xa, ya), (xb, yb) = place(start, times[-1] * start / sizes[-1]), place(sizes[-1], times[-1])
        parts.append(f'<line x1="{xa:.1f}" y1="{ya:.1f}" x2="{xb:.1f}" y2="{yb:.1f}" stroke="#999" '
                     'stroke-dasharray="4"/>')
        for size, ms in zip(sizes, times):
            x, y = place(size, ms)
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1f5fa8"/>')
    return '\n'.join([*parts, '</svg>', ''])


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--case', default='idensenet_toy')
    p.add_argument('--build', default=str(ROOT / 'build/release'))
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--largest', type=int, default=64, help='largest factor')
    p.add_argument('--timeout', type=float, default=600.0)
    p.add_argument('--write', action='store_true', help='append to benchmarks/results/scaling.jsonl')
    p.add_argument('--plot', help='where the SVG goes')
    options = p.parse_args()
    lines = []
    for axis in START:
        try:
            lines.append(measure(axis, options))
        except WorkerError as error:
            print(error, file=sys.stderr)
            return 1
        print(json.dumps(lines[-1]), flush=True)
        print(f'[scaling] {axis}: slope {lines[-1]["slope"]:.3f}, upper half '
              f'{lines[-1]["upper_slope"]:.3f}', file=sys.stderr)
    if options.plot:
        pathlib.Path(options.plot).write_text(svg(lines))
    if options.write:
        folder = ROOT / 'benchmarks' / 'results'
        folder.mkdir(exist_ok=True)
        with (folder / 'scaling.jsonl').open('a') as file:
            file.writelines(json.dumps(line) + '\n' for line in lines)
    return 0


if __name__ == '__main__':
    sys.exit(main())
