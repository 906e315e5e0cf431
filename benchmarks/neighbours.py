"""Training steps a second beside busy neighbours: default threads, one and two, in turns.

    python -m benchmarks.neighbours [--neighbours 0 1 2] [--rounds 7] [--old BUILD] [--write]

A neighbour is a process that computes without a pause. For each number of them one JSON line: name,
neighbours, steps a second of each side (medians over the rounds), `ratio` (default threads over the
better of one and two, median over the rounds; wanted: .9) and `spread` (distance between the ratios'
quartiles). --old adds the default threads of another build folder, as the side "old", and `ratio_old`.
"""
import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

from benchmarks.paired.run import ROOT, commit, cpu_name, quartile_spread
from benchmarks.paired.worker_process import Worker, WorkerError

WANTED = 0.9


@contextlib.contextmanager
def busy_neighbours(count):
    """Processes that each keep a core busy, for as long as the scope lasts."""
    running = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def cores():
    return len(os.sched_getaffinity(0))


def start(side, build, threads, options):
    command = [str(pathlib.Path(build).resolve() / 'benchmarks/paired/contraflow_bench'), options.case,
               '--threads', str(threads), '--train-steps', '0']
    return Worker(side, command, threads, ROOT, options.timeout)


def steps_a_second(worker, seconds):
    """One turn: a step to get going, a few to estimate their time, then about `seconds` of them."""
    worker.ask(1)
    count = max(5, int(1000 * seconds / worker.ask(20)['ms']))
    return 1000 / worker.ask(count)['ms']


def measure(workers, neighbours, options):
    rounds = {side: [] for side in workers}
    with busy_neighbours(neighbours):
        for _ in range(options.rounds):
            for side, worker in workers.items():
                rounds[side].append(steps_a_second(worker, options.seconds))
    best = [max(pair) for pair in zip(rounds['one'], rounds['two'])]
    ratios = [ours / other for ours, other in zip(rounds['default'], best)]
    line = {'name': 'neighbours', 'case': options.case, 'neighbours': neighbours,
            **{f'{side}_steps': statistics.median(values) for side, values in rounds.items()},
            'ratio': statistics.median(ratios), 'spread': quartile_spread(ratios), 'wanted': WANTED,
            'cores': cores(), 'cpu': cpu_name(), 'commit': commit()}
    if 'old' in rounds:
        line['ratio_old'] = statistics.median(
            ours / old for ours, old in zip(rounds['default'], rounds['old']))
    return line


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--case', default='idensenet_toy')
    parser.add_argument('--neighbours', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--seconds', type=float, default=1.5, help='of work in a turn')
    parser.add_argument('--build', default='build/release')
    parser.add_argument('--old', help='a build folder to compare with')
    parser.add_argument('--timeout', type=float, default=300)
    parser.add_argument('--write', action='store_true', help='append to benchmarks/results/neighbours.jsonl')
    return parser.parse_args()


def main():
    options = parse_arguments()
    sides = {'default': (options.build, cores()), 'one': (options.build, 1), 'two': (options.build, 2)}
    if options.old:
        sides['old'] = (options.old, cores())
    workers = {}
    lines = []
    try:
        for side, (build, threads) in sides.items():
            workers[side] = start(side, build, threads, options)
        for neighbours in options.neighbours:
            lines.append(measure(workers, neighbours, options))
            print(json.dumps(lines[-1]), flush=True)
    except WorkerError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        for worker in workers.values():
            worker.close()
    if options.write:
        folder = ROOT / 'benchmarks/results'
        folder.mkdir(exist_ok=True)
        with (folder / 'neighbours.jsonl').open('a') as file:
            file.writelines(json.dumps(line) + '\n' for line in lines)
    return 0


if __name__ == '__main__':
    sys.exit(main())
